#ifndef ZS_CONNECT_H
#define ZS_CONNECT_H

#include <stdbool.h>

/* Targets that are addresses: tcp://HOST:PORT and unix:///PATH. */

enum zs_address_kind {
    ZS_ADDRESS_NONE, /* a path like any other */
    ZS_ADDRESS_TCP,
    ZS_ADDRESS_UNIX,
};

/*
 * What kind of address `target` is, by how it begins; 0, or -EINVAL if it begins so and goes on
 * wrongly (*reason says in which way), -ENAMETOOLONG if a socket cannot have such a path.
 */
int zs_connect_examine(const char *target, enum zs_address_kind *kind, const char **reason);

/*
 * Connects to an address that was examined; every address that a name has is tried in turn. A
 * descriptor, or -errno, or, for a name that is not found, -1 with *reason.
 */
int zs_connect_open(const char *target, enum zs_address_kind kind, const char **reason);

/*
 * Nothing more will be sent: tells the peer, and, on TCP, waits until its kernel has acknowledged
 * every byte (which does not mean that its program has read them). 0, or -errno: ECONNRESET, EPIPE,
 * ETIMEDOUT or what else the connection died of.
 */
int zs_connect_finish(int fd, enum zs_address_kind kind);

#endif
