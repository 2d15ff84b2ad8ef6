/* Sockets that zslice connects itself. */

#include "connect.h"

#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char tcp_prefix[] = "tcp://";
static const char unix_prefix[] = "unix://";

/* HOST:PORT taken apart; copies, for the caller to free. */
struct tcp_address {
    char *host;
    char *port;
};

static void free_tcp(struct tcp_address *address)
{
    free(address->host);
    free(address->port);
}

static const char wants_port[] = "it must be tcp://HOST:PORT, with an IPv6 address in brackets";

static const char wants_number[] = "the port must be 1 to 65535, or the name of a service";

/* getaddrinfo(3) takes a number modulo 2^16, and so would connect to another port. */
static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (text[digits] != '\0')
        return digits == 0 && text[0] != '-' && text[0] != '+' && text[0] != ' ';
    unsigned long number = strtoul(text, NULL, 10); /* ULONG_MAX, if it is too large */
    return number >= 1 && number <= 65535;
}

/* NULL, or what is wrong. */
static const char *parse_tcp(const char *text, struct tcp_address *address)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (text[0] == '[') {
        const char *bracket = strchr(text, ']');
        if (!bracket || bracket[1] != ':')
            return wants_port;
        host = text + 1;
        length = (size_t)(bracket - host);
        colon = bracket + 1;
    } else if (!colon || memchr(text, ':', length)) {
        return wants_port;
    }
    if (length == 0 || colon[1] == '\0' || strpbrk(colon + 1, "/?#@:"))
        return wants_port;
    if (!is_port(colon + 1))
        return wants_number;
    address->host = strndup(host, length);
    address->port = strdup(colon + 1);
    if (!address->host || !address->port) {
        free_tcp(address);
        return "there is no memory";
    }
    return NULL;
}

int zs_connect_examine(const char *target, enum zs_address_kind *kind, const char **reason)
{
    struct tcp_address address = {NULL, NULL};

    *kind = ZS_ADDRESS_NONE;
    if (strncmp(target, tcp_prefix, sizeof tcp_prefix - 1) == 0) {
        *kind = ZS_ADDRESS_TCP;
        *reason = parse_tcp(target + sizeof tcp_prefix - 1, &address);
        if (*reason)
            return -EINVAL;
        free_tcp(&address);
    } else if (strncmp(target, unix_prefix, sizeof unix_prefix - 1) == 0) {
        const char *path = target + sizeof unix_prefix - 1;
        *kind = ZS_ADDRESS_UNIX;
        *reason = path[0] == '/' && path[1] != '\0' ? NULL : "it must be unix:///PATH";
        if (*reason)
            return -EINVAL;
        if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return -ENAMETOOLONG;
    }
    return 0;
}

/*
 * connect(2) goes on when a signal interrupts it, and cannot be called again: it is waited for. 0
 * or -errno.
 */
static int connect_whole(int fd, const struct sockaddr *address, socklen_t length_bytes)
{
    int code = 0;
    socklen_t size = sizeof code;

    if (connect(fd, address, length_bytes) == 0)
        return 0;
    if (errno != EINTR)
        return -errno;
    if (zs_signals_attend())
        return -EINTR;
    int waited = zs_sys_wait(fd, POLLOUT);
    if (waited < 0)
        return waited;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 ? -errno : -code;
}

static int open_socket(int family, const struct sockaddr *address, socklen_t length_bytes)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int connected = connect_whole(fd, address, length_bytes);
    if (connected == 0)
        return fd;
    (void)zs_sys_close(fd);
    return connected;
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path) + 1); /* it was measured */
    return open_socket(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* The last one's errno is that of them all. */
static int open_any(const struct addrinfo *addresses)
{
    int fd = -EADDRNOTAVAIL;

    for (const struct addrinfo *a = addresses; a && fd < 0 && fd != -EINTR; a = a->ai_next)
        fd = open_socket(a->ai_family, a->ai_addr, a->ai_addrlen);
    return fd;
}

static int open_tcp(const char *text, const char **reason)
{
    static const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct tcp_address address = {NULL, NULL};
    struct addrinfo *addresses = NULL;

    *reason = parse_tcp(text, &address);
    if (*reason)
        return -1;
    int code = getaddrinfo(address.host, address.port, &wanted, &addresses);
    int error = errno;
    free_tcp(&address);
    if (code == EAI_SYSTEM)
        return -error;
    if (code != 0) {
        *reason = gai_strerror(code);
        return -1;
    }
    int fd = open_any(addresses);
    freeaddrinfo(addresses);
    return fd;
}

int zs_connect_open(const char *target, enum zs_address_kind kind, const char **reason)
{
    *reason = NULL;
    return kind == ZS_ADDRESS_UNIX ? open_unix(target + sizeof unix_prefix - 1)
                                   : open_tcp(target + sizeof tcp_prefix - 1, reason);
}

/* What the connection died of, if it did: the kernel tells it once. */
static int take_error(int fd)
{
    int code = 0;
    socklen_t size = sizeof code;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 ? -errno : -code;
}

/* The longest pause between two looks. There is nothing to wait on for an acknowledgement. */
enum { PAUSE_MILLISECONDS = 20 };

/*
 * Until our FIN is acknowledged, and with it everything before it. A peer that closes as well ends
 * in a state without a name for us, in which nothing is left to be acknowledged.
 */
static int wait_for_acknowledgement(int fd)
{
    for (int pause = 0;; pause = pause < PAUSE_MILLISECONDS ? pause + 1 : pause) {
        struct tcp_info info = {.tcpi_state = 0};
        socklen_t size = sizeof info;

        int code = take_error(fd);
        if (code < 0)
            return code;
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
            return -errno;
        switch (info.tcpi_state) {
        case TCP_FIN_WAIT1:
        case TCP_CLOSING:
        case TCP_LAST_ACK:
        case TCP_ESTABLISHED:
            break;
        default:
            return take_error(fd);
        }
        if (zs_signals_attend())
            return -EINTR;
        (void)poll(NULL, 0, pause);
    }
}

int zs_connect_finish(int fd, enum zs_address_kind kind)
{
    if (shutdown(fd, SHUT_WR) < 0) {
        /* ENOTCONN: it was reset. That it was is what the socket remembers. */
        int shut = -errno;
        int code = take_error(fd);
        return code < 0 ? code : shut == -ENOTCONN ? -ECONNRESET : shut;
    }
    return kind == ZS_ADDRESS_TCP ? wait_for_acknowledgement(fd) : 0;
}
