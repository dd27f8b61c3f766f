/** Imported before everything else: the engine's log is for Pods. What a user has to know is printed. */
process.env["LOG_LEVEL"] ??= "silent";
