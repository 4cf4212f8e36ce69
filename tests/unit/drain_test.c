/* The collector's round, on a session that no program has joined: we write what programs would. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/collector/drain.h"
#include "recorder/collector/finish.h"
#include "recorder/collector/session.h"
#include "tests/unit/check.h"

static struct session session;
static struct recorded_list list;
static struct drain drain;

/* As register_process() in the preload does. */
static void show_process(uint32_t index, uint32_t pid, uint32_t order)
{
    struct ring_chunk *chunk = session_chunk(&session, index);
    chunk->pid = pid;
    chunk->order = order;
    chunk->parent_order = 0;
    chunk->first = index;
    chunk->lanes = RING_CHUNK_LANES;
    strcpy(chunk->program, "/bin/made-up");
    if (atomic_load(&session.shared->chunks_used) <= index)
        atomic_store(&session.shared->chunks_used, index + 1);
    atomic_store(&session.shared->chunk[index], RING_CHUNK_WORD(RING_CHUNK_PROCESS, pid));
}

static unsigned state_of(uint32_t index)
{
    return RING_CHUNK_STATE(atomic_load(&session.shared->chunk[index]));
}

/* Both images of a process are new, and the later one has the lower chunk: the earlier one ended.
 */
static void test_two_images_in_one_round(void)
{
    show_process(9, (uint32_t)getpid(), 4);
    show_process(3, (uint32_t)getpid(), 7);
    drain_round(&drain);
    CHECK_EQ_INT((int)state_of(9), RING_CHUNK_FREE);
    CHECK_EQ_INT((int)state_of(3), RING_CHUNK_PROCESS);
    CHECK_EQ_U64(session_chunk(&session, 3)->lanes, RING_CHUNK_LANES);
    CHECK_EQ_U64(list.live, 1);
    struct recorded *now = recorded_find(&list, (uint32_t)getpid());
    CHECK(now && now->end == RECORDED_LIVES && now->order == 7);
}

static void remove_tapes(void)
{
    for (struct recorded *process = list.first; process; process = process->next) {
        unlink(process->raw_path);
        unlink(process->tape_path);
    }
}

int main(void)
{
    char folder[] = "/tmp/heaptape-drain-XXXXXX";
    struct tape_error error;
    if (!mkdtemp(folder) || chdir(folder) ||
        session_open(&session, RING_FOLLOW_EXEC, 0, &error) != TAPE_OK)
        return 4;
    recorded_list_init(&list, "x.tape");
    finish_begin((struct finish_options){.keep_raw = true});
    drain = (struct drain){.session = &session, .list = &list, .root = 1, .root_ended = true};
    RUN(test_two_images_in_one_round);
    drain_detach(&drain);
    finish_end(false);
    remove_tapes();
    rmdir(folder);
    return CHECK_MAIN_END();
}
