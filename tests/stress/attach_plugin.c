/* A library that is loaded after attaching: 10 blocks of 1047 bytes, by its own calls. */
#include <stdlib.h>

void plugin_work(void);
void plugin_work(void)
{
    void *block[10];
    for (int i = 0; i < 10; i++)
        block[i] = malloc(1047);
    for (int i = 0; i < 10; i++)
        free(block[i]);
}
