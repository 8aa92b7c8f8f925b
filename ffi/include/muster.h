/* Generated from ffi/src/exports by cbindgen: do not edit.
 *
 * libmuster: who is here, and who is gone? The client of a Muster agent's local socket, and a member
 * inside of this process. Link with `pkg-config --cflags --libs muster`.
 *
 * Status. What can fail gives a `muster_status`: MUSTER_STATUS_OK (0) or another stable number. Its
 * last argument `error` may be NULL; else it is set to NULL, or to an error whose message says what
 * happened, to what, and what to do. AGAIN, TIMEOUT and INTERRUPTED only say to call again: they make
 * no error. What cannot fail gives its value, and NULL, 0, -1 or false for a NULL handle. A mistake
 * inside of the library is MUSTER_STATUS_PANIC, never the end of the program. No function changes
 * what is global to the process: no signal handlers, no output, no environment.
 *
 * Ownership. What a function puts into its last-but-one argument is yours: free it with the function
 * of its name that ends in `_free`, once. After an error that argument is set to NULL. NULL is fine to
 * free. Texts and handles that a getter gives belong to the handle that was asked, and live as long as
 * it. What you pass in is only read during the call. A handle that was freed must not be used.
 *
 * Texts are UTF-8 and end with a zero byte.
 *
 * Threads. Handles may pass from thread to thread. muster_client and muster_agent are for any number
 * of threads at once, and so are all getters of what does not change (members, events, responses,
 * errors). muster_events, muster_call and muster_attached are for one thread at a time; another one
 * gets MUSTER_STATUS_BUSY and nothing happens. Never free what another thread uses.
 *
 * Fork. A child may use and free a muster_client. Other handles of the parent give it
 * MUSTER_STATUS_WRONG_PROCESS (descriptors: -1); it may free them, and make its own, but for agents:
 * see muster_agent_start. All descriptors close on exec.
 *
 * Signals. Handlers run as ever. A wait for an event ends with MUSTER_STATUS_INTERRUPTED then; requests
 * go on until their time is over.
 */


#ifndef MUSTER_H
#define MUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 What came of a call. The numbers are stable: more may be added, none changes its meaning.
 */
typedef enum {
  /*
   It is done.
   */
  MUSTER_STATUS_OK = 0,
  /*
   Nothing is there now: wait until the descriptor is readable, then call again.
   */
  MUSTER_STATUS_AGAIN = 1,
  /*
   Nothing came in the time given: call again, nothing is lost.
   */
  MUSTER_STATUS_TIMEOUT = 2,
  /*
   A signal handler ran meanwhile: call again, nothing is lost.
   */
  MUSTER_STATUS_INTERRUPTED = 3,
  /*
   An argument that must not be NULL is NULL.
   */
  MUSTER_STATUS_NULL_ARGUMENT = 10,
  /*
   A text is not UTF-8.
   */
  MUSTER_STATUS_NOT_UTF8 = 11,
  /*
   An argument cannot be taken: the message says which are.
   */
  MUSTER_STATUS_INVALID_ARGUMENT = 12,
  /*
   A mistake inside of libmuster; the program goes on. Free the handle, and report it.
   */
  MUSTER_STATUS_PANIC = 13,
  /*
   The handle was made before a `fork`, by the other process: make one here. Of
   `muster_agent_start`: this process was forked from one that had an agent: exec first.
   */
  MUSTER_STATUS_WRONG_PROCESS = 14,
  /*
   Another thread is using the handle now: a handle is for one thread at a time.
   */
  MUSTER_STATUS_BUSY = 15,
  /*
   No agent listens at that path, or at any of the usual ones: start one, or name another.
   */
  MUSTER_STATUS_NO_AGENT = 20,
  /*
   The system does not let this user connect to the socket.
   */
  MUSTER_STATUS_DENIED = 21,
  /*
   Something listens there that is no Muster agent: name another socket.
   */
  MUSTER_STATUS_NOT_MUSTER = 22,
  /*
   The agent is older or newer than this library, and lacks or changed what was asked for.
   */
  MUSTER_STATUS_VERSION = 23,
  /*
   The connection ended before the answer was complete: did the agent just stop?
   */
  MUSTER_STATUS_BROKEN = 24,
  /*
   The agent took the connection and did not answer in time: is it stopped or overloaded?
   */
  MUSTER_STATUS_SILENT = 25,
  /*
   The agent refused what was asked: `muster_error_problem` says why, by a stable id.
   */
  MUSTER_STATUS_REFUSED = 26,
  /*
   The system refuses what is needed, such as one more descriptor.
   */
  MUSTER_STATUS_SYSTEM = 27,
  /*
   Settings of an embedded agent are wrong: the message lists all that are.
   */
  MUSTER_STATUS_SETTINGS = 40,
  /*
   A newer member has taken the name of the embedded agent: do not start it again.
   */
  MUSTER_STATUS_NAME_TAKEN = 41,
  /*
   The embedded agent could not start, or had to end: the message says why.
   */
  MUSTER_STATUS_AGENT_FAILED = 42,
  /*
   The embedded agent has ended.
   */
  MUSTER_STATUS_AGENT_ENDED = 43,
} muster_status;

/*
 What an event is about. The numbers are stable; more may be added.
 */
typedef enum {
  /*
   A type that this version does not know: `muster_event_type` has its word.
   */
  MUSTER_KIND_OTHER = 0,
  /*
   Hint: the member does not answer, and may still.
   */
  MUSTER_KIND_MEMBER_SUSPECT = 1,
  /*
   Hint: it is not there, as far as this sidecar can tell.
   */
  MUSTER_KIND_MEMBER_UNREACHABLE = 2,
  /*
   Hint: it is there, for the first time or again.
   */
  MUSTER_KIND_MEMBER_REACHABLE = 3,
  /*
   Agreed, not final: some reach it and some do not.
   */
  MUSTER_KIND_MEMBER_DEGRADED = 4,
  /*
   Verdict: it is a member.
   */
  MUSTER_KIND_MEMBER_UP = 5,
  /*
   Verdict: this life of it is over.
   */
  MUSTER_KIND_MEMBER_DEAD = 6,
  /*
   Verdict: it said goodbye.
   */
  MUSTER_KIND_MEMBER_LEFT = 7,
  /*
   Its tags or its address changed.
   */
  MUSTER_KIND_MEMBER_UPDATED = 8,
  /*
   An app of it is up.
   */
  MUSTER_KIND_APP_UP = 9,
  /*
   An app of it has ended.
   */
  MUSTER_KIND_APP_DOWN = 10,
  /*
   An app of it says how it is.
   */
  MUSTER_KIND_APP_HEALTH = 11,
  /*
   Another member decides now, or the same in a new epoch. Of this member also: again.
   */
  MUSTER_KIND_COORDINATOR_CHANGED = 12,
  /*
   Nothing is agreed any more, until there is a quorum again.
   */
  MUSTER_KIND_QUORUM_LOST = 13,
  /*
   There is a quorum again.
   */
  MUSTER_KIND_QUORUM_REGAINED = 14,
  /*
   This member was removed though it lives, or its name was taken.
   */
  MUSTER_KIND_SELF_REMOVED = 15,
  /*
   This member is in again.
   */
  MUSTER_KIND_SELF_READMITTED = 16,
  /*
   Events may be missing before this one: it carries all members as they are now.
   */
  MUSTER_KIND_RESET = 17,
} muster_kind;

/*
 How a member is, as this sidecar sees it. The numbers are stable; more may be added.
 */
typedef enum {
  /*
   A word that this version does not know.
   */
  MUSTER_STATE_OTHER = 0,
  /*
   It answers.
   */
  MUSTER_STATE_ALIVE = 1,
  /*
   It does not answer, and may still.
   */
  MUSTER_STATE_SUSPECT = 2,
  /*
   Some reach it and some do not.
   */
  MUSTER_STATE_DEGRADED = 3,
  /*
   It is not there, as far as this sidecar can tell.
   */
  MUSTER_STATE_UNREACHABLE = 4,
  /*
   It said goodbye.
   */
  MUSTER_STATE_LEFT = 5,
  /*
   It was agreed to be dead.
   */
  MUSTER_STATE_DEAD = 6,
} muster_state;

/*
 What was agreed about a life of a member. The numbers are stable; more may be added.
 */
typedef enum {
  /*
   Nothing yet.
   */
  MUSTER_VERDICT_NONE = 0,
  /*
   It is a member.
   */
  MUSTER_VERDICT_UP = 1,
  /*
   It is dead.
   */
  MUSTER_VERDICT_DEAD = 2,
  /*
   It said goodbye.
   */
  MUSTER_VERDICT_LEFT = 3,
  /*
   A word that this version does not know.
   */
  MUSTER_VERDICT_OTHER = 4,
} muster_verdict;

typedef struct muster_agent muster_agent;

typedef struct muster_attached muster_attached;

typedef struct muster_call muster_call;

typedef struct muster_client muster_client;

typedef struct muster_coordinator muster_coordinator;

typedef struct muster_error muster_error;

typedef struct muster_event muster_event;

typedef struct muster_events muster_events;

typedef struct muster_member muster_member;

typedef struct muster_members muster_members;

typedef struct muster_response muster_response;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Finds an agent: at `socket`; or, when that is NULL, at `MUSTER_SOCKET` or the first of the
 usual places where one listens. Waits for one to come up, at most `timeout_ms` (0: not at
 all, negative: for ever).

 The client holds no connection: any number of threads may use it at once, and so may a child
 after `fork`. Free it with `muster_client_free`; what was opened with it lives on.
 */
muster_status muster_client_open(const char *socket,
                                 int64_t timeout_ms,
                                 muster_client **client,
                                 muster_error **error);

/*
 The path of the socket. It belongs to the client.
 */
const char *muster_client_socket(const muster_client *client);

/*
 Frees a client. NULL is fine.
 */
void muster_client_free(muster_client *client);

/*
 Asks for anything that the local socket can do (`GET /v1/openapi.json` describes it) and
 waits for the answer, at most `timeout_ms` (negative: as long as it takes). Signal handlers
 run meanwhile and do not end it. `path` is percent-encoded; `body` may be NULL, and is of
 `content_type`, or JSON when that is NULL. An answer other than 2xx is
 `MUSTER_STATUS_REFUSED`. For what never ends there are `muster_client_watch` and
 `muster_client_attach`. Free the response with `muster_response_free`.
 */
muster_status muster_client_request(const muster_client *client,
                                    const char *method,
                                    const char *path,
                                    const char *content_type,
                                    const char *body,
                                    int64_t timeout_ms,
                                    muster_response **response,
                                    muster_error **error);

/*
 The same without waiting: wait until `muster_call_fd` is readable, and then take the answer.
 `MUSTER_STATUS_AGAIN`: the agent has no room for one more connection now; try again in a
 moment. Free the call with `muster_call_free`, also before the answer has come.
 */
muster_status muster_client_call(const muster_client *client,
                                 const char *method,
                                 const char *path,
                                 const char *content_type,
                                 const char *body,
                                 muster_call **call,
                                 muster_error **error);

/*
 A descriptor that is readable when there is something to take. It belongs to the call: never
 read or close it. -1 once the answer was taken, and in a child after `fork`.
 */
int32_t muster_call_fd(const muster_call *call);

/*
 The answer, once. Never waits: `MUSTER_STATUS_AGAIN` when it is not whole yet.
 A call is for one thread at a time; another one gets `MUSTER_STATUS_BUSY`.
 */
muster_status muster_call_take(const muster_call *call,
                               muster_response **response,
                               muster_error **error);

/*
 Frees a call. NULL is fine.
 */
void muster_call_free(muster_call *call);

/*
 The HTTP status: 2xx.
 */
uint16_t muster_response_http_status(const muster_response *response);

/*
 The media type of the body, such as `application/json`. It belongs to the response.
 */
const char *muster_response_media_type(const muster_response *response);

/*
 The body: a text that ends with a zero byte. It belongs to the response.
 */
const char *muster_response_body(const muster_response *response);

/*
 The length of the body, without the zero byte.
 */
size_t muster_response_length(const muster_response *response);

/*
 Frees a response. NULL is fine.
 */
void muster_response_free(muster_response *response);

/*
 Lists the members. `query` filters, as in `state=alive&tag.role=worker` or
 `consistent=true` (percent-encoded, see `GET /v1/members`), or is NULL. Free the list with
 `muster_members_free`.
 */
muster_status muster_client_members(const muster_client *client,
                                    const char *query,
                                    int64_t timeout_ms,
                                    muster_members **members,
                                    muster_error **error);

/*
 One member, by its name. Free it with `muster_member_free`.
 */
muster_status muster_client_member(const muster_client *client,
                                   const char *name,
                                   int64_t timeout_ms,
                                   muster_member **member,
                                   muster_error **error);

/*
 Who decides now. Waits for a coordinator, when there is none, at most `timeout_ms`; without
 one in time it is `MUSTER_STATUS_REFUSED` (`urn:muster:problem:no-coordinator`) or
 `MUSTER_STATUS_SILENT`. Free it with `muster_coordinator_free`.
 */
muster_status muster_client_coordinator(const muster_client *client,
                                        int64_t timeout_ms,
                                        muster_coordinator **coordinator,
                                        muster_error **error);

/*
 Publishes a tag of this agent's member, or changes it.
 */
muster_status muster_client_set_tag(const muster_client *client,
                                    const char *key,
                                    const char *value,
                                    int64_t timeout_ms,
                                    muster_error **error);

/*
 Publishes a tag no longer.
 */
muster_status muster_client_remove_tag(const muster_client *client,
                                       const char *key,
                                       int64_t timeout_ms,
                                       muster_error **error);

/*
 Joins a cluster through one of its members, `host:port`. Returns at once; the members show
 when it has come about.
 */
muster_status muster_client_join(const muster_client *client,
                                 const char *seed,
                                 int64_t timeout_ms,
                                 muster_error **error);

/*
 Has the agent say goodbye and stop. Returns once the others know.
 */
muster_status muster_client_leave(const muster_client *client,
                                  int64_t timeout_ms,
                                  muster_error **error);

/*
 The coordinator's name. It belongs to the handle.
 */
const char *muster_coordinator_name(const muster_coordinator *coordinator);

/*
 Where it listens; NULL while that is not known here. It belongs to the handle.
 */
const char *muster_coordinator_addr(const muster_coordinator *coordinator);

/*
 Its epoch: the fencing token. Take it once, from an answer whose
 `muster_coordinator_is_self` is true, and keep it for the whole term.
 */
uint64_t muster_coordinator_epoch(const muster_coordinator *coordinator);

/*
 Whether it is the member that was asked.
 */
bool muster_coordinator_is_self(const muster_coordinator *coordinator);

/*
 All of it as JSON. It belongs to the handle.
 */
const char *muster_coordinator_json(const muster_coordinator *coordinator);

/*
 Frees a coordinator. NULL is fine.
 */
void muster_coordinator_free(muster_coordinator *coordinator);

/*
 `text` as it may stand in a path or in the value of a query, for `muster_client_request`:
 the body of a response that is to be freed with `muster_response_free`.
 */
muster_status muster_encode(const char *text, muster_response **encoded, muster_error **error);

/*
 Opens the stream of events after the cursor `since`, or of what comes next when that is NULL
 or empty; of the types in the comma list `types`, or of all when that is NULL. Never waits:
 an agent that has no room for one more connection now is tried again in a moment.

 From then on it connects again by itself, whenever it must, and goes on where it was: an
 agent that restarts is told as `MUSTER_KIND_RESET`, and so is every gap. Give it the
 cursor of a list of members, and the two fit without one. Free it with `muster_events_free`.

 A stream is for one thread at a time: another one gets `MUSTER_STATUS_BUSY`. It may pass
 from thread to thread. A child after `fork` gets `MUSTER_STATUS_WRONG_PROCESS` and opens its
 own.
 */
muster_status muster_client_watch(const muster_client *client,
                                  const char *since,
                                  const char *types,
                                  muster_events **events,
                                  muster_error **error);

/*
 A descriptor that stays the same as long as the stream, for poll, epoll, select or any loop:
 readable when `muster_events_next` has something to do. It belongs to the stream: never read
 or close it. -1 in a child after `fork`.
 */
int32_t muster_events_fd(const muster_events *events);

/*
 The next event, without waiting. `MUSTER_STATUS_AGAIN`: there is none now; wait for the
 descriptor. An error does not end the stream: as long as this is called it goes on trying.
 What passes (an agent that restarts) is not told as one, once an agent has answered.
 */
muster_status muster_events_next(const muster_events *events,
                                 muster_event **event,
                                 muster_error **error);

/*
 The next event; waits for it, at most `timeout_ms` (negative: for ever).
 `MUSTER_STATUS_TIMEOUT` or, when a signal handler ran, `MUSTER_STATUS_INTERRUPTED`: call
 again, nothing is lost.
 */
muster_status muster_events_wait(const muster_events *events,
                                 int64_t timeout_ms,
                                 muster_event **event,
                                 muster_error **error);

/*
 The cursor of the last event that was given, to go on from in another stream: the body of a
 response that is to be freed with `muster_response_free`, empty before there is one. It is
 that of the agent's last word once all events were taken.
 */
muster_status muster_events_cursor(const muster_events *events,
                                   muster_response **cursor,
                                   muster_error **error);

/*
 Whether the agent is connected now; false as well while another thread uses the stream.
 */
bool muster_events_is_connected(const muster_events *events);

/*
 Closes a stream and frees it. NULL is fine.
 */
void muster_events_free(muster_events *events);

/*
 What it is about.
 */
muster_kind muster_event_kind(const muster_event *event);

/*
 The word for that, such as `member-dead`. It belongs to the event, as all its texts do.
 */
const char *muster_event_type(const muster_event *event);

/*
 Its cursor: the stream goes on after it.
 */
const char *muster_event_cursor(const muster_event *event);

/*
 When this sidecar learnt of it: RFC 3339, UTC, milliseconds.
 */
const char *muster_event_time(const muster_event *event);

/*
 The agreed membership; 0 before there is one.
 */
uint64_t muster_event_view(const muster_event *event);

/*
 The coordinator's term; 0 before there is one.
 */
uint64_t muster_event_epoch(const muster_event *event);

/*
 The member it is about, as it was right after; NULL for a reset. It belongs to the event.
 */
const muster_member *muster_event_member(const muster_event *event);

/*
 Of a reset: all members as they are now; else NULL. It belongs to the event.
 */
const muster_members *muster_event_members(const muster_event *event);

/*
 A field of the event by its name in JSON, such as `cause`, `app`, `status` or `reason`, as
 text; NULL when this event has no such field, or has a list or an object there.
 */
const char *muster_event_detail(const muster_event *event, const char *name);

/*
 All of it as JSON, as the agent sent it.
 */
const char *muster_event_json(const muster_event *event);

/*
 Frees an event. NULL is fine.
 */
void muster_event_free(muster_event *event);

/*
 How many members are in the list.
 */
size_t muster_members_count(const muster_members *members);

/*
 A member of the list, by its place from 0 in the order of the names; NULL beyond the end. It
 belongs to the list.
 */
const muster_member *muster_members_at(const muster_members *members, size_t index);

/*
 A member of the list, by its name; NULL when it is not in it. It belongs to the list.
 */
const muster_member *muster_members_find(const muster_members *members, const char *name);

/*
 The agreed membership; 0 before there is one.
 */
uint64_t muster_members_view(const muster_members *members);

/*
 The coordinator's term; 0 before there is one.
 */
uint64_t muster_members_epoch(const muster_members *members);

/*
 The events after this cursor continue exactly from this list: give it to
 `muster_client_watch`. It belongs to the list.
 */
const char *muster_members_cursor(const muster_members *members);

/*
 The agent's document; empty for the list of a `reset`, whose event has it. It belongs to the
 list.
 */
const char *muster_members_json(const muster_members *members);

/*
 Frees a list that `muster_client_members` gave, never that of an event. NULL is fine.
 */
void muster_members_free(muster_members *members);

/*
 Its name, unique in the cluster. It belongs to the member, as all its texts do.
 */
const char *muster_member_name(const muster_member *member);

/*
 Where it listens: `address:port`.
 */
const char *muster_member_addr(const muster_member *member);

/*
 Its present life; a restart is a larger number.
 */
uint64_t muster_member_instance(const muster_member *member);

/*
 Its version within that life.
 */
uint64_t muster_member_incarnation(const muster_member *member);

/*
 How it is, as this sidecar sees it.
 */
muster_state muster_member_state(const muster_member *member);

/*
 The word for that.
 */
const char *muster_member_state_text(const muster_member *member);

/*
 What was agreed about this life of it.
 */
muster_verdict muster_member_verdict(const muster_member *member);

/*
 The view in which that was agreed; 0 without a verdict.
 */
uint64_t muster_member_view(const muster_member *member);

/*
 Since when it has its state here: RFC 3339, UTC, milliseconds.
 */
const char *muster_member_since(const muster_member *member);

/*
 Its tag `zone`; NULL without one.
 */
const char *muster_member_zone(const muster_member *member);

/*
 The value of a tag, by its key; NULL without it.
 */
const char *muster_member_tag(const muster_member *member, const char *key);

/*
 How many tags it has.
 */
size_t muster_member_tag_count(const muster_member *member);

/*
 The key of a tag, by its place from 0 in the order of the keys; NULL beyond the end.
 */
const char *muster_member_tag_key(const muster_member *member, size_t index);

/*
 The value of a tag, by its place; NULL beyond the end.
 */
const char *muster_member_tag_value(const muster_member *member, size_t index);

/*
 Whether it votes.
 */
bool muster_member_is_voter(const muster_member *member);

/*
 Whether it is the member that was asked.
 */
bool muster_member_is_self(const muster_member *member);

/*
 Round-trip time in microseconds; -1 while it was not measured.
 */
int64_t muster_member_rtt_us(const muster_member *member);

/*
 All of it as JSON, with what has no function of its own, such as its apps.
 */
const char *muster_member_json(const muster_member *member);

/*
 Frees a member that `muster_client_member` gave, never one of a list or an event. NULL is
 fine.
 */
void muster_member_free(muster_member *member);

/*
 Attaches an app to the agent's member: every member is told that it is up, and at once when
 it is not. It lives as long as the handle, and no longer than the process. `body` is the
 JSON of `POST /v1/apps/{app}`, or NULL. Free it with `muster_attached_free`, which detaches.

 A child of `fork` that lives on without exec keeps the connection open: the app is up until
 it ends as well, unless `body` names the process (`{"pid": 123}`), whose end the agent sees.

 `POST`, `PUT` and `DELETE` of `/v1/apps/...` by `muster_client_request` say more of it: its
 health, and how it ended.
 */
muster_status muster_client_attach(const muster_client *client,
                                   const char *app,
                                   const char *body,
                                   int64_t timeout_ms,
                                   muster_attached **attached,
                                   muster_error **error);

/*
 A descriptor that is readable when `muster_attached_check` is worth calling. It belongs to
 the handle: never read or close it. -1 in a child after `fork`.
 */
int32_t muster_attached_fd(const muster_attached *attached);

/*
 Whether the app still is attached; an error when it is not, as after a restart of the agent.
 Never waits. For one thread at a time: another one gets `MUSTER_STATUS_BUSY`.
 */
muster_status muster_attached_check(const muster_attached *attached, muster_error **error);

/*
 Detaches the app and frees the handle. NULL is fine. In a child after `fork` it only frees:
 the app lives until both processes have.
 */
void muster_attached_free(muster_attached *attached);

/*
 Starts a member inside of this process, on threads of its own: it takes no signals and
 writes no log. `settings` is TOML with the names of the agent's settings (see
 `muster agent --help`), or NULL; variables and files do not count. Returns once its local
 socket can be connected to. When that takes longer than `timeout_ms` (negative: as long as
 it takes) the member is ended, and it is `MUSTER_STATUS_AGENT_FAILED`.

 It serves the local socket as a sidecar does: use it by a client, and so can `muster
 members`. Any thread may use the handle, any number at once. One thread and three
 descriptors, which all agents of a process share, stay when the last was freed.

 After `fork` only the parent has the member. A process that was forked from one that ever
 started an agent can have none: it gets `MUSTER_STATUS_WRONG_PROCESS`. Exec first, as
 `posix_spawn` does. A child that lives on without exec keeps the member's descriptors open:
 when the parent dies, the others find it out by probes, within seconds and not at once, and
 the path of its local socket can be connected to, though nobody answers. All of them close
 on exec.
 */
muster_status muster_agent_start(const char *settings,
                                 int64_t timeout_ms,
                                 muster_agent **agent,
                                 muster_error **error);

/*
 The path of its local socket. It belongs to the agent.
 */
const char *muster_agent_socket(const muster_agent *agent);

/*
 Whether it runs. Else it is an error that says how it ended: `MUSTER_STATUS_AGENT_ENDED`
 after a leave, `MUSTER_STATUS_NAME_TAKEN`, ...
 */
muster_status muster_agent_check(const muster_agent *agent, muster_error **error);

/*
 Has it say goodbye and end, and waits for that, at most `timeout_ms` (negative: as long as
 it takes). After `MUSTER_STATUS_TIMEOUT` the goodbye goes on: call it again to wait on, or
 `muster_agent_free` to end it at once.
 */
muster_status muster_agent_stop(const muster_agent *agent,
                                int64_t timeout_ms,
                                muster_error **error);

/*
 Frees an agent. One that was not stopped ends at once, without a goodbye, and the others
 find it dead. NULL is fine.
 */
void muster_agent_free(muster_agent *agent);

/*
 The number of what went wrong; `MUSTER_STATUS_NULL_ARGUMENT` for NULL.
 */
muster_status muster_error_status(const muster_error *error);

/*
 What happened, to what, and what to do next: a sentence for people. It belongs to the error.
 */
const char *muster_error_message(const muster_error *error);

/*
 Of `MUSTER_STATUS_REFUSED`: the stable id of the problem, such as
 `urn:muster:problem:no-such-member`; else NULL. It belongs to the error.
 */
const char *muster_error_problem(const muster_error *error);

/*
 Of `MUSTER_STATUS_REFUSED`: the HTTP status of the answer; else 0.
 */
uint16_t muster_error_http_status(const muster_error *error);

/*
 Frees an error. NULL is fine.
 */
void muster_error_free(muster_error *error);

/*
 A status in a few words; the text is constant. `status` is one of the constants.
 */
const char *muster_status_text(int32_t status);

/*
 The version of this library; the text is constant.
 */
const char *muster_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MUSTER_H */
