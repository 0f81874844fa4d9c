#!/bin/busybox sh
# Process 1 of the test guests. Its network comes from the kernel's command line (guest.ip, guest.gw, guest.ip6,
# guest.gw6), its modules from /modules in the order of their names. It serves /www over HTTP (port 80), echoes TCP
# (port 7), and then runs each line that comes on the serial console as a command, answering with its output and a line
# "guest:exit:STATUS".
/bin/busybox mkdir -p /proc /sys /dev /tmp /www /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do
  case $module in *.ko) insmod "$module" || echo "guest: $module failed" ;; esac
done

setting() { sed -n "s/.*guest\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }

# Runs a test every 20 ms until it succeeds, for 10 s at most.
await() {
  tries=0
  until eval "$1" || [ $tries -ge 500 ]; do
    usleep 20000
    tries=$((tries + 1))
  done
}

await '[ -e /sys/class/net/eth0 ]'

ip link set lo up
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 up
ip=$(setting ip) gw=$(setting gw) ip6=$(setting ip6) gw6=$(setting gw6)
[ -z "$ip" ] || ip addr add "$ip" dev eth0
[ -z "$gw" ] || ip route add default via "$gw"
[ -z "$ip6" ] || ip -6 addr add "$ip6" dev eth0
[ -z "$gw6" ] || ip -6 route add default via "$gw6"
# Carrier, and a link-local address that is permanent (80) and not tentative: from here on neighbours are found.
await 'grep -q "^fe80.* 80 *eth0$" /proc/net/if_inet6'

echo "guest $(setting name)" >/www/index.html
httpd -p '[::]:80' -h /www
nc -ll -p 7 -e cat &

exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty raw -echo
echo "guest:ready"
while read -r line; do
  sh -c "$line" </dev/null 2>&1
  printf '\nguest:exit:%s\n' "$?"
done
poweroff -f
