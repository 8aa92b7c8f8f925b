/* Has the agent say goodbye and stop: ./leave [SOCKET] */

#include <stdio.h>
#include <stdlib.h>

#include <muster.h>

int main(int argc, char **argv) {
    muster_error *error = NULL;
    muster_client *client = NULL;
    muster_status status = muster_client_open(argc > 1 ? argv[1] : NULL, 0, &client, &error);
    if (status == MUSTER_STATUS_OK) {
        status = muster_client_leave(client, 65000, &error); /* until the others know */
    }
    if (status != MUSTER_STATUS_OK) {
        fprintf(stderr, "leave: %s\n", muster_error_message(error));
    }
    muster_error_free(error);
    muster_client_free(client);
    return status == MUSTER_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
