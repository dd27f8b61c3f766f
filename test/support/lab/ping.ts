/**
 * Pings whose packets can be counted exactly. Used by LabPod. Not by iputils' ping: once an answer has come, it waits for the
 * last ones only twice the longest round trip (`-W` is for none at all), which on a busy machine is too short; with a
 * deadline (`-w`) it sends more than it was asked for.
 */
import { attempt, within } from "./command";

export interface PingOptions {
  count?: number;
  /** Bytes of payload, 16-1400: tells the packets of one ping from those of another in a capture. 56 if absent. */
  size?: number;
  /** Milliseconds between two requests, at least. 5 if absent. */
  pause?: number;
  /** Milliseconds to wait for answers after the last request, if some are missing. 2,000 if absent. */
  linger?: number;
}

export interface PingResult {
  sent: number;
  received: number;
  /** Answers that came twice: a loop, or a packet that was not only copied but delivered again. */
  duplicates: number;
}

/**
 * Echo requests as of RFC 792 and RFC 4443, numbered from 1; the kernel writes ICMPv6's checksum (RFC 3542, section 3.1).
 * In Perl, which every Debian has and which starts in a tenth of Python's time: there are hundreds of pings in a run.
 */
const PROGRAM = `
use strict; use warnings;
use Socket qw(:all);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
my ($address, $count, $size, $pause, $linger) = @ARGV;
my $v6 = $address =~ /:/;
my ($request, $answer) = $v6 ? (128, 129) : (8, 0);
my $whose = $$ & 0xffff;
my $to = $v6 ? pack_sockaddr_in6(0, inet_pton(AF_INET6, $address)) : pack_sockaddr_in(0, inet_aton($address));
socket(my $s, $v6 ? AF_INET6 : AF_INET, SOCK_RAW, $v6 ? 58 : 1) or die "socket: $!";
my ($body, $duplicates, %seen) = ("\\0" x $size, 0);
sub checksum {
  my $sum = unpack("%32n*", $_[0] . "\\0" x (length($_[0]) % 2));
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  return ~$sum & 0xffff;
}
sub listen_until {
  my ($until) = @_;
  while (keys(%seen) < $count) {
    my $left = $until - clock_gettime(CLOCK_MONOTONIC);
    my $bits = "";
    vec($bits, fileno($s), 1) = 1;
    return if select($bits, undef, undef, $left > 0 ? $left : 0) < 1;
    my $from = recv($s, my $packet, 65535, 0) // die "recv: $!";
    my $sender = $v6 ? (unpack_sockaddr_in6($from))[1] : (unpack_sockaddr_in($from))[1];
    next if $sender ne ($v6 ? (unpack_sockaddr_in6($to))[1] : (unpack_sockaddr_in($to))[1]);
    $packet = substr($packet, (ord($packet) & 15) * 4) unless $v6;
    my ($kind, undef, undef, $mine, $number) = unpack("CCnnn", $packet);
    next if $kind != $answer || $mine != $whose;
    $duplicates++ if $seen{$number}++;
  }
}
for my $number (1 .. $count) {
  my $echo = sub { pack("CCnnn", $request, 0, $_[0], $whose, $number) . $body };
  send($s, $echo->($v6 ? 0 : checksum($echo->(0))), 0, $to) // die "send: $!";
  listen_until(clock_gettime(CLOCK_MONOTONIC) + ($number < $count ? $pause : $linger) / 1000);
}
print "$count ", scalar(keys %seen), " $duplicates\\n";
`;

/** Sends `count` echo requests (5 if absent) and waits for their answers, no longer than until the last one is there. */
export async function ping(namespace: string, address: string, options: PingOptions = {}): Promise<PingResult> {
  const { count = 5, size = 56, pause = 5, linger = 2_000 } = options;
  const args = ["-e", PROGRAM, "--", address, ...[count, size, pause, linger].map(String)];
  // A busy machine may take its time for each of them.
  const timeout = 30_000 + 20 * count * Math.max(pause, 1) + linger;
  const { stdout, stderr } = await attempt("ip", within(namespace, "perl", args), { timeout });
  const found = /^(\d+) (\d+) (\d+)$/.exec(stdout.trim());
  if (!found) throw new Error(`${count} pings to ${address} from ${namespace} failed:\n${stdout}${stderr}`);
  return { sent: Number(found[1]), received: Number(found[2]), duplicates: Number(found[3]) };
}
