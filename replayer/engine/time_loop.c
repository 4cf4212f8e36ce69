/*
 * The timed loops. -fno-builtin-malloc and friends (engine.mk): the compiler must neither drop a
 * pair of malloc and free nor guess what they return. -fno-plt: a call is one indirect call through
 * the table that the loader filled in, nothing is looked up later.
 */
#include <malloc.h>
#include <stdlib.h>
#include "replayer/engine/replay.h"
#include "replayer/engine/thread_tls.h"
#include "replayer/engine/touch.h"

#define LOOP_NAME  replay_time_none
#define LOOP_TOUCH ENGINE_TOUCH_NONE
#include "replayer/engine/time_loop.inc.h"

#define LOOP_NAME  replay_time_first
#define LOOP_TOUCH ENGINE_TOUCH_FIRST
#include "replayer/engine/time_loop.inc.h"

#define LOOP_NAME  replay_time_page
#define LOOP_TOUCH ENGINE_TOUCH_PAGE
#include "replayer/engine/time_loop.inc.h"

#define LOOP_NAME  replay_time_full
#define LOOP_TOUCH ENGINE_TOUCH_FULL
#include "replayer/engine/time_loop.inc.h"
