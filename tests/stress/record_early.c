/*
 * A program that allocates before anything has begun: the resolver of an indirect function of its
 * own runs while the loader is still at work, when libc does not know its environment yet. Ten
 * blocks of 1031 bytes there, of which main() frees five; ten of 1047 in main().
 */
#include <stdio.h>
#include <stdlib.h>

static char *early[10];

static int answer(void)
{
    return 42;
}

static int (*choose(void))(void) __attribute__((used));
static int (*choose(void))(void)
{
    for (int i = 0; i < 10; i++) {
        early[i] = malloc(1031);
        if (early[i])
            early[i][1030] = (char)i;
    }
    return answer;
}

int chosen(void) __attribute__((ifunc("choose")));

int main(void)
{
    int sum = 0;
    for (int i = 0; i < 10; i++)
        sum += early[i][1030];
    for (int i = 0; i < 5; i++)
        free(early[i]);
    for (int i = 0; i < 10; i++)
        free(malloc(1047));
    printf("%d %d\n", chosen(), sum);
    return 0;
}
