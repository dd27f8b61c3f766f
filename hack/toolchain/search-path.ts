/** Completes PATH for everything that this process starts: sbin is not on everybody's, not even on root's after `su`. */
const directories = (process.env["PATH"] ?? "").split(":").filter((directory) => directory !== "");
for (const directory of ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
  if (!directories.includes(directory)) directories.push(directory);
process.env["PATH"] = directories.join(":");
