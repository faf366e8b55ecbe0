/* The floor: WebSockets with nothing around them. floor MODE CORE prints its port, and serves until its standard input ends.
 *
 * MODE is "echo", or "all": then every message goes to everybody by a bare loop of send(). The client is trusted: it opens with
 * the key of benchmarks/load.py, and each of its frames arrives whole. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1 << 20, EVENTS = 256, ROOM = 1 << 18 };

static const char ACCEPTED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static char is_open[MOST];
static int everybody[MOST], count, to_all, poller;
static uint8_t input[ROOM], reply[ROOM];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void leave(int connection) {
    for (int i = 0; i < count; i++)
        if (everybody[i] == connection) {
            everybody[i] = everybody[--count];
            break;
        }
    is_open[connection] = 0;
    close(connection);
}

static void welcome(int listener) {
    int connection, one = 1;
    while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (connection >= MOST)
            fail("too many connections");
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = connection};
        epoll_ctl(poller, EPOLL_CTL_ADD, connection, &event);
    }
}

/* What does not fit into a socket is lost: a bare loop does no more. */
static void deliver(int connection, const uint8_t *data, size_t size) {
    if (!to_all)
        send(connection, data, size, MSG_NOSIGNAL);
    else
        for (int i = 0; i < count; i++)
            send(everybody[i], data, size, MSG_NOSIGNAL);
}

static void receive(int connection) {
    ssize_t size = recv(connection, input, sizeof input, 0);
    if (size <= 0) {
        leave(connection);
        return;
    }
    if (!is_open[connection]) {
        is_open[connection] = 1;
        everybody[count++] = connection;
        send(connection, ACCEPTED, sizeof ACCEPTED - 1, MSG_NOSIGNAL);
        return;
    }
    for (ssize_t position = 0; position < size;) {
        const uint8_t *frame = input + position;
        if (frame[0] == 0x88) {
            leave(connection);
            return;
        }
        size_t length = frame[1] & 0x7f, head = 2;
        if (length == 126) {
            length = (size_t)frame[2] << 8 | frame[3];
            head = 4;
        }
        position += (ssize_t)(head + 4 + length);
        if (position > size)
            fail("a frame in parts");
        memcpy(reply, frame, head);
        reply[1] &= 0x7f;
        for (size_t i = 0; i < length; i++)
            reply[head + i] = frame[head + 4 + i] ^ frame[head + (i & 3)];
        deliver(connection, reply, head + length);
    }
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    to_all = !strcmp(argv[1], "all");
    if (atoi(argv[2]) >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET(atoi(argv[2]), &cores);
        sched_setaffinity(0, sizeof cores, &cores);
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        fail("listen");
    poller = epoll_create1(0);
    int sources[] = {listener, STDIN_FILENO};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = sources[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, sources[i], &event))
            fail("epoll");
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int source = events[i].data.fd;
            if (source == STDIN_FILENO)
                return 0;
            if (source == listener)
                welcome(listener);
            else
                receive(source);
        }
    }
}
