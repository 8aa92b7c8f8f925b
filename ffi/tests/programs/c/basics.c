/* basics SOCKET: questions, answers, and arguments that are wrong. */

#include "check.h"

static void arguments(muster_client *client) {
    muster_members *members = NULL;
    muster_client *other = NULL;
    muster_response *response = NULL;
    EXPECT(MUSTER_STATUS_NULL_ARGUMENT, muster_client_members(NULL, NULL, 1000, &members, &error));
    CHECK(members == NULL);
    EXPECT(MUSTER_STATUS_NULL_ARGUMENT, muster_client_members(client, NULL, 1000, NULL, &error));
    EXPECT(MUSTER_STATUS_NULL_ARGUMENT, muster_client_set_tag(client, NULL, "x", 1000, &error));
    EXPECT(MUSTER_STATUS_NOT_UTF8, muster_client_set_tag(client, "k", "\xff\xfe", 1000, &error));
    EXPECT(MUSTER_STATUS_NOT_UTF8, muster_client_open("/tmp/\xc3", 0, &other, &error));
    CHECK(other == NULL);
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT,
           muster_client_request(client, "GET", "no-slash", NULL, NULL, 1000, &response, &error));
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT,
           muster_client_request(client, "GET /x", "/", NULL, NULL, 1000, &response, &error));
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT,
           muster_client_request(client, "GET", "/a\r\nb: c", NULL, NULL, 1000, &response, &error));
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT,
           muster_client_request(client, "PUT", "/", "a\nb", "", 1000, &response, &error));
    char *large = malloc(200001);
    CHECK(large != NULL);
    memset(large, 'x', 200000);
    large[200000] = 0;
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT,
           muster_client_set_tag(client, "k", large, 1000, &error));
    free(large);
    /* Without a place for an error it is the status alone. */
    CHECK(muster_client_members(NULL, NULL, 0, NULL, NULL) == MUSTER_STATUS_NULL_ARGUMENT);
    /* Getters of nothing give nothing. */
    CHECK(muster_member_name(NULL) == NULL && muster_members_count(NULL) == 0);
    CHECK(muster_member_rtt_us(NULL) == -1 && muster_events_fd(NULL) == -1);
    CHECK(muster_event_kind(NULL) == MUSTER_KIND_OTHER && !muster_member_is_self(NULL));
    CHECK(muster_members_at(NULL, 0) == NULL && muster_error_message(NULL) == NULL);
    muster_client_free(NULL);
    muster_members_free(NULL);
    muster_event_free(NULL);
    muster_error_free(NULL);
    CHECK(strcmp(muster_status_text(99), "unknown status") == 0);
    CHECK(strcmp(muster_status_text(MUSTER_STATUS_NO_AGENT), "no agent listens there") == 0);
    CHECK(strlen(muster_version()) >= 5);
}

static void refusals(muster_client *client) {
    muster_member *member = NULL;
    muster_error *error = NULL;
    CHECK(muster_client_member(client, "nobody", 5000, &member, &error) == MUSTER_STATUS_REFUSED);
    CHECK(member == NULL);
    CHECK(strcmp(muster_error_problem(error), "urn:muster:problem:no-such-member") == 0);
    CHECK(muster_error_http_status(error) == 404);
    CHECK(strstr(muster_error_message(error), "nobody") != NULL);
    muster_error_free(error);
    muster_response *response = NULL;
    EXPECT(MUSTER_STATUS_REFUSED, muster_client_request(client, "GET", "/v1/nothing", NULL, NULL,
                                                        5000, &response, &error));
    EXPECT(MUSTER_STATUS_REFUSED, muster_client_remove_tag(client, "none", 5000, &error));
    EXPECT(MUSTER_STATUS_REFUSED, muster_client_join(client, "no port", 5000, &error));
    CHECK(response == NULL);
}

static void answers(muster_client *client) {
    OK(muster_client_set_tag(client, "role", "w\xc3\xb6rker", 5000, &error));
    muster_members *members = NULL;
    OK(muster_client_members(client, "tag.role=w%C3%B6rker", 5000, &members, &error));
    CHECK(muster_members_count(members) == 1);
    const muster_member *member = muster_members_at(members, 0);
    CHECK(muster_members_at(members, 1) == NULL);
    CHECK(muster_members_find(members, muster_member_name(member)) == member);
    CHECK(muster_members_find(members, "nobody") == NULL);
    CHECK(strcmp(muster_member_name(member), "n1") == 0 && muster_member_is_self(member));
    CHECK(muster_member_state(member) == MUSTER_STATE_ALIVE);
    CHECK(strcmp(muster_member_state_text(member), "alive") == 0);
    CHECK(strcmp(muster_member_tag(member, "role"), "w\xc3\xb6rker") == 0);
    CHECK(muster_member_tag(member, "none") == NULL && muster_member_zone(member) == NULL);
    CHECK(muster_member_tag_count(member) == 1);
    CHECK(strcmp(muster_member_tag_key(member, 0), "role") == 0);
    CHECK(muster_member_tag_value(member, 1) == NULL);
    CHECK(muster_member_instance(member) > 0 && muster_member_rtt_us(member) == -1);
    CHECK(strstr(muster_member_json(member), "\"name\":\"n1\"") != NULL);
    CHECK(strstr(muster_members_json(members), "\"cursor\"") != NULL);
    CHECK(strchr(muster_members_cursor(members), '.') != NULL);
    muster_members_free(members);

    muster_coordinator *coordinator = NULL;
    OK(muster_client_coordinator(client, 30000, &coordinator, &error));
    CHECK(strcmp(muster_coordinator_name(coordinator), "n1") == 0);
    CHECK(muster_coordinator_is_self(coordinator) && muster_coordinator_epoch(coordinator) > 0);
    CHECK(muster_coordinator_addr(coordinator) != NULL);
    muster_coordinator_free(coordinator);

    muster_member *one = NULL;
    OK(muster_client_member(client, "n1", 5000, &one, &error));
    CHECK(muster_member_verdict(one) == MUSTER_VERDICT_UP && muster_member_view(one) > 0);
    CHECK(muster_member_is_voter(one));
    muster_member_free(one);

    muster_response *response = NULL;
    OK(muster_client_request(client, "get", "/v1/ring", NULL, NULL, 5000, &response, &error));
    CHECK(muster_response_http_status(response) == 200);
    CHECK(strcmp(muster_response_media_type(response), "application/json") == 0);
    CHECK(strlen(muster_response_body(response)) == muster_response_length(response));
    CHECK(strstr(muster_response_body(response), "\"buddies\"") != NULL);
    muster_response_free(response);
    OK(muster_client_remove_tag(client, "role", 5000, &error));
    OK(muster_encode("a b/\xc3\xb6", &response, &error));
    CHECK(strcmp(muster_response_body(response), "a%20b%2F%C3%B6") == 0);
    muster_response_free(response);
}

static void apps(muster_client *client) {
    muster_attached *app = NULL, *twice = NULL;
    OK(muster_client_attach(client, "web", NULL, 5000, &app, &error));
    EXPECT(MUSTER_STATUS_REFUSED, muster_client_attach(client, "web", NULL, 5000, &twice, &error));
    OK(muster_attached_check(app, &error));
    CHECK(muster_attached_fd(app) >= 0);
    muster_member *one = NULL;
    OK(muster_client_member(client, "n1", 5000, &one, &error));
    CHECK(strstr(muster_member_json(one), "\"state\":\"up\"") != NULL);
    muster_member_free(one);
    muster_attached_free(app);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    muster_client *client = NULL;
    OK(muster_client_open(argv[1], 0, &client, &error));
    CHECK(strcmp(muster_client_socket(client), argv[1]) == 0);
    arguments(client);
    answers(client);
    refusals(client);
    apps(client);
    muster_client_free(client);
    return 0;
}
