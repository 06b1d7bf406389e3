// The floor under every FSD server: a relay without a protocol.
//
// Whoever sends a login line is let in and told so; from then on each of his pilot
// positions goes to everybody else who is in. Nothing is checked, nothing is re-printed
// and nobody is out of range, so what this costs is what the system calls cost. One
// thread, epoll, Linux only.
//
//   relay PORT 0        one send per receiver and line, at once
//   relay PORT W        one send per receiver every W milliseconds
//
// It listens on the loopback interface only.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

constexpr size_t kMostWaiting = 1 << 20;  // bytes for one receiver; more is dropped
constexpr size_t kLongestLine = 1 << 12;  // bytes without a line end; more is dropped
constexpr int kEvents = 256;
constexpr int kBacklog = 4096;

struct Client {
    int fd = -1;
    bool is_in = false;
    bool wants_room = false;  // EPOLLOUT is asked for
    std::string half;         // a line that has not ended
    std::string waiting;      // bytes to send
};

int64_t now_ms() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
}

class Relay {
public:
    Relay(int port, int window_ms) : window_ms_(window_ms) {
        epoll_ = epoll_create1(EPOLL_CLOEXEC);
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int on = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_port = htons(uint16_t(port));
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(listener_, reinterpret_cast<sockaddr *>(&here), sizeof here) < 0 ||
            listen(listener_, kBacklog) < 0) {
            perror("relay: cannot listen");
            exit(1);
        }
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    void run() {
        epoll_event events[kEvents];
        for (;;) {
            int n = epoll_wait(epoll_, events, kEvents, patience());
            for (int i = 0; i < n; ++i) serve(events[i]);
            bury();
            if (dirty_ && window_ms_ > 0 && now_ms() >= next_flush_) flush();
        }
    }

private:
    // Milliseconds until the next flush is due; -1 where nothing waits for one.
    int patience() const {
        if (!dirty_ || window_ms_ == 0) return -1;
        return int(std::max<int64_t>(0, next_flush_ - now_ms()));
    }

    void watch(int how, int fd, uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        epoll_ctl(epoll_, how, fd, &event);
    }

    void serve(const epoll_event &event) {
        if (event.data.fd == listener_) return accept_all();
        auto found = clients_.find(event.data.fd);
        if (found == clients_.end()) return;
        Client &client = found->second;
        if (event.events & EPOLLOUT) write(client);
        if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read(client);
    }

    void accept_all() {
        for (;;) {
            int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            clients_[fd].fd = fd;
            watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }

    void read(Client &client) {
        char data[1 << 16];
        ssize_t n = recv(client.fd, data, sizeof data, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) dead_.push_back(client.fd);
            return;
        }
        client.half.append(data, size_t(n));
        size_t begin = 0, end;
        while ((end = client.half.find('\n', begin)) != std::string::npos) {
            take(client, std::string_view(client.half).substr(begin, end + 1 - begin));
            begin = end + 1;
        }
        client.half.erase(0, begin);
        if (client.half.size() > kLongestLine) client.half.clear();
    }

    void take(Client &sender, std::string_view line) {
        if (line.substr(0, 3) == "#AP" || line.substr(0, 3) == "#AA") {
            sender.is_in = true;
            std::string callsign(line.substr(3, line.find(':') - 3));
            sender.waiting += "#TMserver:" + callsign + ":hi\r\n";
            write(sender);
        } else if (line[0] == '@' && sender.is_in) {
            for (auto &[fd, receiver] : clients_)
                if (receiver.is_in && fd != sender.fd) give(receiver, line);
        }
    }

    void give(Client &receiver, std::string_view line) {
        if (receiver.waiting.size() > kMostWaiting) return;
        receiver.waiting += line;
        if (window_ms_ == 0) {
            if (!receiver.wants_room) write(receiver);
        } else if (!dirty_) {
            dirty_ = true;
            next_flush_ = now_ms() + window_ms_;
        }
    }

    void flush() {
        dirty_ = false;
        for (auto &[fd, client] : clients_)
            if (!client.waiting.empty() && !client.wants_room) write(client);
    }

    void write(Client &client) {
        ssize_t n = send(client.fd, client.waiting.data(), client.waiting.size(), MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN) {
                dead_.push_back(client.fd);
                client.waiting.clear();
                return;
            }
            n = 0;
        }
        client.waiting.erase(0, size_t(n));
        bool wants_room = !client.waiting.empty();
        if (wants_room == client.wants_room) return;
        client.wants_room = wants_room;
        watch(EPOLL_CTL_MOD, client.fd, EPOLLIN | (wants_room ? uint32_t(EPOLLOUT) : 0u));
    }

    // Only between events: clients may be gone through while one of them dies.
    void bury() {
        for (int fd : dead_)
            if (clients_.erase(fd)) close(fd);
        dead_.clear();
    }

    int window_ms_, epoll_, listener_;
    bool dirty_ = false;
    int64_t next_flush_ = 0;
    std::unordered_map<int, Client> clients_;
    std::vector<int> dead_;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: relay PORT WINDOW_MS\n");
        return 1;
    }
    Relay(atoi(argv[1]), atoi(argv[2])).run();
}
