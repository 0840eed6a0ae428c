// The side port over real sockets, on a port that the kernel chooses.
#include "daemon/side_port.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

namespace mongocached::daemon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// One connection, raw bytes both ways; every read ends within ten seconds.
class client {
 public:
  explicit client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~client() { ::close(fd_); }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // All until the peer closes.
  std::string rest() {
    std::string out;
    char block[4096];
    while (true) {
      const ssize_t got = ::recv(fd_, block, sizeof block, 0);
      if (got < 0 && errno == EAGAIN) throw std::runtime_error("the port does not close");
      if (got <= 0) return out;
      out.append(block, static_cast<std::size_t>(got));
    }
  }

  std::string until(const std::string& mark) {
    std::string out;
    char c = 0;
    while (out.find(mark) == std::string::npos && ::recv(fd_, &c, 1, 0) == 1) out += c;
    return out;
  }

 private:
  int fd_;
  bool connected_ = false;
};

class SidePort : public ::testing::Test {
 protected:
  void start() {
    options_.host = "127.0.0.1";
    side_port_hooks hooks;
    hooks.metrics = [this] { return metrics_; };
    hooks.stalled = [this] { return stalled_; };
    hooks.ready = [this] { return ready_; };
    hooks.status = []() -> std::string { throw std::runtime_error("cannot \"tell\""); };
    hooks.invalidate = [this](const invalidate_request& r) {
      asked_.push_back(r);
      return answer_;
    };
    hooks.flush = [this] {
      ++flushes_;
      return invalidate_answer{"", 7, true};
    };
    port_ = std::make_unique<side_port>(options_, hooks);
  }

  std::string ask(const std::string& request_line, const std::string& headers = "") {
    if (!port_) start();
    client c(port_->port());
    c.send(request_line + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + headers + "\r\n");
    return c.rest();
  }

  side_port_options options_;
  std::string metrics_ = "some_metric 1\n";
  bool stalled_ = false;
  readiness ready_{true, ""};
  invalidate_answer answer_{"", 3, true};
  std::vector<invalidate_request> asked_;
  int flushes_ = 0;
  std::unique_ptr<side_port> port_;
};

TEST_F(SidePort, MetricsArePrometheusText) {
  const std::string reply = ask("GET /metrics");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(reply, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\nsome_metric 1\n"));
}

TEST_F(SidePort, HeadHasTheHeadersOnly) {
  const std::string reply = ask("HEAD /metrics");
  EXPECT_THAT(reply, HasSubstr("Content-Length: 14\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST_F(SidePort, StalledIsNotHealthy) {
  EXPECT_THAT(ask("GET /healthz"), StartsWith("HTTP/1.1 200"));
  stalled_ = true;
  const std::string reply = ask("GET /healthz");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(reply, EndsWith("{\"healthy\":false,\"reason\":\"a thread that serves clients hangs\"}\n"));
}

TEST_F(SidePort, NotReadySaysWhy) {
  EXPECT_THAT(ask("GET /readyz"), StartsWith("HTTP/1.1 200"));
  ready_ = {false, "no server reachable: \"h\""};
  const std::string reply = ask("GET /readyz");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(reply, HasSubstr(R"({"ready":false,"reason":"no server reachable: \"h\""})"));
  EXPECT_THAT(ask("GET /healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(SidePort, ReadySaysWhatIsAmissAllTheSame) {
  EXPECT_THAT(ask("GET /readyz"), EndsWith("\r\n\r\n{\"ready\":true}\n"));
  ready_.note = "everything is \"relayed\"";
  const std::string reply = ask("GET /readyz");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, EndsWith("{\"ready\":true,\"note\":\"everything is \\\"relayed\\\"\"}\n"));
}

TEST_F(SidePort, InvalidateAndFlushReachTheirHooks) {
  EXPECT_THAT(ask("POST /invalidate?ns=a.b&id=%7B%7D", "Content-Length: 0\r\n"),
              EndsWith("{\"entries\":3,\"redis\":true}\n"));
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_EQ(asked_[0].ns, "a.b");
  EXPECT_EQ(asked_[0].id_json, "{}");
  answer_.error = "no such namespace";
  const std::string reply = ask("POST /invalidate?ns=a.b");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(reply, HasSubstr("{\"error\":\"no such namespace\"}"));
  EXPECT_THAT(ask("POST /flush"), EndsWith("{\"entries\":7,\"redis\":true}\n"));
  EXPECT_EQ(flushes_, 1);
}

TEST_F(SidePort, RefusalsAreJsonAndReachNoHook) {
  const std::string missing = ask("GET /nothing");
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(missing, HasSubstr("Content-Type: application/json\r\n"));
  const std::string wrong = ask("GET /flush");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(wrong, HasSubstr("Allow: POST\r\n"));
  EXPECT_THAT(ask("POST /flush", "Sec-Fetch-Site: cross-site\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("POST /flush", "Origin: http://127.0.0.1\r\nOrigin: http://evil.example\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST /flush", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST /invalidate?ns=%zz"), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(flushes_, 0);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(SidePort, TokenIsAskedFor) {
  options_.token = "s3cret";
  const std::string reply = ask("POST /flush");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(reply, HasSubstr("WWW-Authenticate: Bearer\r\n"));
  EXPECT_THAT(reply, Not(HasSubstr("s3cret")));
  EXPECT_EQ(flushes_, 0);
  EXPECT_THAT(ask("POST /flush", "Authorization: Bearer s3cret\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(SidePort, TokenMayChange) {
  options_.token = "old";
  start();
  client c(port_->port());
  const auto flush = [&](const std::string& token) {
    c.send("POST /flush HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + token + "\r\n\r\n");
    return c.until("}\n");
  };
  EXPECT_THAT(flush("old"), StartsWith("HTTP/1.1 200"));
  port_->set_token("new");
  EXPECT_THAT(flush("old"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(flush("new"), StartsWith("HTTP/1.1 200"));
}

TEST_F(SidePort, HookThatThrowsIsAnError) {
  const std::string reply = ask("GET /status");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(reply, HasSubstr(R"({"error":"cannot \"tell\""})"));
}

TEST_F(SidePort, ConnectionIsKeptAndPipelinedRequestsAreAnsweredInOrder) {
  start();
  client c(port_->port());
  c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(c.until("true}\n"), HasSubstr("healthy"));
  c.send(
      "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: "
      "close\r\n\r\n");
  const std::string all = c.rest();
  const std::size_t first = all.find("404"), second = all.find("ready"), third = all.find("some_metric");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
}

TEST_F(SidePort, OldProtocolGetsAnAnswerAndAClose) {
  start();
  client c(port_->port());
  c.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(c.rest(), StartsWith("HTTP/1.0 200 OK\r\n"));
}

TEST_F(SidePort, MissingHostIsRefused) {
  start();
  client c(port_->port());
  c.send("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(c.rest(), StartsWith("HTTP/1.1 400"));
}

TEST_F(SidePort, HugeHeaderIsRefused) {
  start();
  client c(port_->port());
  c.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(c.rest(), StartsWith("HTTP/1.1 431"));
}

TEST_F(SidePort, HugeBodyIsRefusedBeforeItIsSent) {
  start();
  client c(port_->port());
  c.send("POST /flush HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_THAT(c.until("}\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(flushes_, 0);
}

TEST_F(SidePort, EndlessChunksAreRefused) {
  start();
  client c(port_->port());
  std::string body = "POST /flush HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 100; ++i) body += "64\r\n" + std::string(100, 'x') + "\r\n";
  c.send(body);
  EXPECT_THAT(c.rest(), StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(flushes_, 0);
}

TEST_F(SidePort, LengthGivenTwiceIsRefused) {
  EXPECT_THAT(ask("POST /flush", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST /flush", "Content-Length: 0\r\nContent-Length: 5\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(flushes_, 0);
}

TEST_F(SidePort, WhatIsNoHttpIsRefused) {
  start();
  for (const std::string& bytes : {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9),
                                   std::string("\x3a\0\0\0\1\0\0\0\0\0\0\0\xd4\x07\0\0", 16),
                                   std::string("GET\r\n\r\n"), std::string("GET /metrics FTP/1.1\r\n\r\n")}) {
    client c(port_->port());
    c.send(bytes);
    EXPECT_THAT(c.rest(), StartsWith("HTTP/1.1 400"));
  }
  EXPECT_THAT(ask("GET /healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(SidePort, SlowRequestIsCutOffAtItsDeadline) {
  options_.request_deadline = std::chrono::milliseconds(50);
  start();
  client c(port_->port());
  c.send("GET /metr");
  EXPECT_EQ(c.rest(), "");  // closed, though the request never ended
  client silent(port_->port());
  EXPECT_EQ(silent.rest(), "");
}

TEST_F(SidePort, BeyondTheLimitWhoHasWaitedLongestMakesRoom) {
  options_.max_connections = 2;
  start();
  const auto is_served = [](client& who) {
    who.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return who.until("true}\n").starts_with("HTTP/1.1 200 OK");
  };
  client one(port_->port());
  client two(port_->port());
  EXPECT_TRUE(is_served(two));
  EXPECT_TRUE(is_served(one));
  client three(port_->port());
  EXPECT_TRUE(is_served(three));
  EXPECT_EQ(two.rest(), "");
  EXPECT_TRUE(is_served(one));
  EXPECT_TRUE(is_served(three));
}

// They once kept out whoever asks whether the process lives, which is then restarted.
TEST_F(SidePort, ManyThatSayNothingKeepNobodyOut) {
  options_.request_deadline = std::chrono::hours(1);
  start();
  std::vector<std::unique_ptr<client>> silent;
  for (std::size_t i = 0; i < options_.max_connections + 5; ++i) {
    silent.push_back(std::make_unique<client>(port_->port()));
    if (i % 2 == 0) silent.back()->send("GET /heal");
  }
  for (int i = 0; i < 3; ++i) EXPECT_THAT(ask("GET /healthz"), StartsWith("HTTP/1.1 200"));
}

// Such clients once kept the others out for as long as they came again before their deadline.
TEST_F(SidePort, ManyThatTakeNoReplyKeepNobodyOut) {
  options_.request_deadline = std::chrono::hours(1);
  options_.max_connections = 2;
  metrics_ = std::string(32'000'000, 'x') + "\n";  // more than the kernel takes
  start();
  std::vector<std::unique_ptr<client>> deaf;
  for (std::size_t i = 0; i < options_.max_connections; ++i) {
    deaf.push_back(std::make_unique<client>(port_->port()));
    deaf.back()->send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(deaf.back()->until("\r\n\r\n"), StartsWith("HTTP/1.1 200")) << "the reply has begun";
  }
  EXPECT_THAT(ask("GET /healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(deaf.front()->rest().size(), metrics_.size()) << "who has been writing longest is cut";
}

TEST_F(SidePort, BeyondTheLimitWhereNobodyWaitsIsClosed) {
  options_.max_connections = 0;
  start();
  EXPECT_EQ(client(port_->port()).rest(), "");
}

TEST_F(SidePort, EndsWithOpenConnections) {
  start();
  client idle(port_->port());
  client half(port_->port());
  half.send("GET /me");
  idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(idle.until("true}\n"), HasSubstr("200 OK"));
  const std::uint16_t number = port_->port();
  port_.reset();
  EXPECT_EQ(idle.rest(), "");
  EXPECT_FALSE(client(number).connected());
}

TEST_F(SidePort, TakenAddressIsOneClearLine) {
  start();
  options_.port = port_->port();
  try {
    const side_port second(options_, {});
    FAIL() << "two on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(),
              "http.address: cannot listen on 127.0.0.1:" + std::to_string(port_->port()) + ": Address already in use");
  }
}

}  // namespace
}  // namespace mongocached::daemon
