/* Has the agent join a cluster: ./join HOST:PORT [SOCKET] */

#include <stdio.h>
#include <stdlib.h>

#include <muster.h>

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: join HOST:PORT [SOCKET]\n");
        return 2;
    }
    muster_error *error = NULL;
    muster_client *client = NULL;
    muster_status status = muster_client_open(argc > 2 ? argv[2] : NULL, 0, &client, &error);
    if (status == MUSTER_STATUS_OK) {
        status = muster_client_join(client, argv[1], 10000, &error);
    }
    if (status != MUSTER_STATUS_OK) {
        fprintf(stderr, "join: %s\n", muster_error_message(error));
    }
    muster_error_free(error);
    muster_client_free(client);
    return status == MUSTER_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
