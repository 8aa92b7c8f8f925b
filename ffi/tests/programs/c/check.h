/* What the programs of the tests share. */

#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <muster.h>

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* The status that a call must give; its error is freed, and must say something where there is one. */
#define EXPECT(expected, call)                                                                     \
    do {                                                                                           \
        muster_error *error = NULL;                                                                \
        muster_status status_ = (call);                                                            \
        if (status_ != (expected)) {                                                               \
            fprintf(stderr, "%s:%d: %s is \"%s\" (%s), not \"%s\"\n", __FILE__, __LINE__, #call,   \
                    muster_status_text((int)status_),                                              \
                    error != NULL ? muster_error_message(error) : "no error",                      \
                    muster_status_text((int)(expected)));                                          \
            exit(1);                                                                               \
        }                                                                                          \
        int silent_ = status_ == MUSTER_STATUS_OK || status_ == MUSTER_STATUS_AGAIN ||             \
                      status_ == MUSTER_STATUS_TIMEOUT || status_ == MUSTER_STATUS_INTERRUPTED;    \
        CHECK((error == NULL) == silent_);                                                         \
        CHECK(silent_ || (muster_error_status(error) == status_ &&                                 \
                          strlen(muster_error_message(error)) > 20));                              \
        muster_error_free(error);                                                                  \
    } while (0)

#define OK(call) EXPECT(MUSTER_STATUS_OK, call)

/* Takes events until one of that kind comes, for 30 s at most. */
static inline muster_event *await_kind(muster_events *events, muster_kind kind) {
    for (time_t start = time(NULL); time(NULL) < start + 30;) {
        muster_event *event = NULL;
        muster_error *error = NULL;
        muster_status status = muster_events_wait(events, 1000, &event, &error);
        if (status == MUSTER_STATUS_OK && muster_event_kind(event) == kind) {
            return event;
        }
        if (error != NULL) {
            fprintf(stderr, "while waiting for an event: %s\n", muster_error_message(error));
            exit(1);
        }
        muster_event_free(event);
    }
    fprintf(stderr, "no event of kind %d came\n", (int)kind);
    exit(1);
}

#endif
