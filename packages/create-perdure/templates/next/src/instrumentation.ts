// Next calls this once when the server starts: the worker goes on with the runs that are there.
export async function register() {
  if (process.env.NEXT_RUNTIME === "nodejs") await import("./worker.ts");
}
