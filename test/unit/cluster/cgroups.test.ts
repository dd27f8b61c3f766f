/** What is read from /proc/mounts. */
import assert from "node:assert/strict";
import { v1Hierarchies } from "../../../hack/cluster/cgroups";

describe("cgroup v1 hierarchies", () => {
  const mounts = [
    "/dev/vda / ext4 rw,relatime 0 0",
    "tmpfs /sys/fs/cgroup tmpfs rw 0 0",
    "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0",
    "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0",
    "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0",
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
    "cgroup /elsewhere/memory cgroup rw,memory 0 0",
    "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0",
    "",
  ].join("\n");

  it("are those below /sys/fs/cgroup, each once, the one that processes are found by first", () => {
    assert.deepEqual(v1Hierarchies(mounts), [
      "/sys/fs/cgroup/pids",
      "/sys/fs/cgroup/systemd",
      "/sys/fs/cgroup/cpu,cpuacct",
      "/sys/fs/cgroup/unified",
    ]);
  });

  it("are none where there is only cgroup v2", () => {
    assert.deepEqual(v1Hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0"), []);
  });
});
