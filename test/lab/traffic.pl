#!/usr/bin/perl
# The lab's traffic, started by traffic.ts. Each mode says "ready", works until its stdin closes, and then prints one
# line of JSON. Perl, because it starts in 5 ms and does not pause for garbage.
use strict;
use warnings;
use Socket qw(:all);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

$| = 1;
$SIG{PIPE} = 'IGNORE';
# Real-time priority where allowed, so that the commands under test do not delay the packets by which they are measured.
system("chrt --fifo --pid 10 $$ >/dev/null 2>&1");
my ($mode, $family, $address, $port, $rate) = @ARGV;

sub now { return clock_gettime(CLOCK_MONOTONIC) }
sub readable { my ($fd, $wait) = @_; my $bits = ''; vec($bits, $fd, 1) = 1; return select($bits, undef, undef, $wait) > 0 }
sub stopped { return readable(0, 0) && !sysread(STDIN, my $rest, 4096) }
sub end_point {
  return $family == 6 ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
}
sub new_socket {
  my ($type) = @_;
  socket(my $socket, $family == 6 ? AF_INET6 : AF_INET, $type, 0) or die "socket: $!\n";
  if ($type == SOCK_DGRAM) {
    # A process that waits for the CPU must not lose packets: SO_RCVBUFFORCE where allowed, else what rmem_max gives.
    setsockopt($socket, SOL_SOCKET, 33, pack('i', 16 << 20)) or setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack('i', 4 << 20));
    setsockopt($socket, SOL_SOCKET, SO_SNDBUF, pack('i', 1 << 20));
  }
  setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, pack('i', 1));
  return $socket;
}

# Answers each packet; counts the different ones that came.
sub udp_echo {
  my $socket = new_socket(SOCK_DGRAM);
  bind($socket, end_point()) or die "bind: $!\n";
  print "ready\n";
  my ($packets, %seen) = (0);
  my $bits = '';
  vec($bits, 0, 1) = 1;
  vec($bits, fileno($socket), 1) = 1;
  while (1) {
    select(my $ready = $bits, undef, undef, undef);
    while (my $from = recv($socket, my $data, 64, MSG_DONTWAIT)) {
      send($socket, $data, MSG_DONTWAIT, $from);
      $seen{unpack('Q', $data)} = 1;
    }
    last if vec($ready, 0, 1) && !sysread(STDIN, my $rest, 4096);
  }
  $packets = keys %seen;
  print qq({"received":$packets}\n);
}

# Sends numbered packets at an even rate; none is skipped when the CPU was busy elsewhere.
sub udp_send {
  my $socket = new_socket(SOCK_DGRAM);
  my $to = end_point();
  my ($sent, $received, $gap, $silence, $heard, @back) = (0, 0, 0, 0, 0);
  my $take = sub {
    while (defined(recv($socket, my $data, 64, MSG_DONTWAIT))) {
      my $number = unpack('Q', $data);
      next if $back[$number]++;
      my $at = now();
      $silence = $at - $heard if $received && $at - $heard > $silence;
      $heard = $at;
      $received++;
    }
  };
  print "ready\n";
  my ($start, $quiet) = (now(), 0);
  until (stopped()) {
    my $due = int((now() - $start) * $rate);
    while ($sent < $due) {
      send($socket, pack('Q', $sent), MSG_DONTWAIT, $to);
      $sent++;
      $take->() if $sent % 16 == 0;
    }
    $take->();
    my $rest = $start + ($sent + 1) / $rate - now();
    select(undef, undef, undef, $rest) if $rest > 0;
  }
  my $limit = now() + 1;
  $take->() while $received < $sent && now() < $limit && readable(fileno($socket), $limit - now());
  # By number, not by clock: a gap is what is missing in a row, whoever had the CPU meanwhile.
  for my $number (0 .. $sent - 1) {
    $quiet = $back[$number] ? 0 : $quiet + 1;
    $gap = $quiet if $quiet > $gap;
  }
  $gap = $gap * 1000 / $rate;
  $silence = int($silence * 10000) / 10;
  print qq({"sent":$sent,"received":$received,"longestGap":$gap,"longestSilence":$silence}\n);
}

# Numbered records both ways; each side checks that the other's come complete and in order.
sub stream {
  my ($socket) = @_;
  my ($sent, $received, $buffer, $order, $eof, $error) = (0, 0, '', 1, 0, '');
  my ($start, $last, $stall, $stopping, $limit) = (now(), now(), 0, 0, 0);
  my $size = 64;
  until ($eof) {
    if (readable(fileno($socket), 0.002)) {
      my $got = sysread($socket, $buffer, 1 << 16, length $buffer);
      if (!defined $got) { $error = "$!"; last }
      $eof = 1 if $got == 0;
      my $at = now();
      $stall = $at - $last if $at - $last > $stall;
      $last = $at;
      while (length $buffer >= $size) {
        $order = 0 if unpack('Q', substr($buffer, 0, $size, '')) != $received;
        $received++;
      }
    }
    $limit = now() + 6 if !$limit && $mode eq 'tcp-serve' && stopped();
    if ($limit && now() > $limit) { $error = 'the stream did not end'; last }
    next if $stopping;
    my $due = int((now() - $start) * $rate);
    while ($sent < $due) {
      my $bits = '';
      vec($bits, fileno($socket), 1) = 1;
      last unless select(undef, $bits, undef, 0) > 0;
      my $written = syswrite($socket, pack("Qx@{[$size - 8]}", $sent));
      if (!defined $written || $written < $size) { $error = "write: $!"; last }
      $sent++;
    }
    last if $error ne '';
    # The side that accepted ends when the other does.
    if ($eof || ($mode eq 'tcp-connect' && stopped())) {
      shutdown($socket, 1);
      ($stopping, $limit) = (1, now() + 5);
    }
  }
  shutdown($socket, 1);
  $stall = int($stall * 1000);
  $order = 0 if length $buffer;
  my $whole = $order ? 'true' : 'false';
  print qq({"sent":$sent,"received":$received,"inOrder":$whole,"longestStall":$stall,"error":"$error"}\n);
}

sub tcp_serve {
  my $socket = new_socket(SOCK_STREAM);
  bind($socket, end_point()) && listen($socket, 1) or die "listen: $!\n";
  print "ready\n";
  accept(my $peer, $socket) or die "accept: $!\n";
  setsockopt($peer, IPPROTO_TCP, TCP_NODELAY, pack('i', 1));
  stream($peer);
}

sub tcp_connect {
  my $socket = new_socket(SOCK_STREAM);
  connect($socket, end_point()) or die "connect: $!\n";
  setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, pack('i', 1));
  print "ready\n";
  stream($socket);
}

my %modes = ('udp-echo' => \&udp_echo, 'udp-send' => \&udp_send, 'tcp-serve' => \&tcp_serve, 'tcp-connect' => \&tcp_connect);
$modes{$mode}->();
