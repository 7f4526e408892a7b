// Loaded into the service by start.mjs: where the script that started it vanishes (kill -9), the service drains and
// ends as well, rather than keep its ports as an orphan.

if (process.channel) {
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}
