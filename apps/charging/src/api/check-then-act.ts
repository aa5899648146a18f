// The pattern that the guide warns of, as people write it: read a flag, act when it is not set, then set it. Another request
// reads the same flag between the reading and the setting, and a process that dies there leaves it unset.

import { DatabaseSync } from "node:sqlite";
import type { Handler } from "./handlers.ts";

/** Flags in a SQLite file that all API servers share. */
export function checkThenAct(path: string): (handler: Handler) => (request: Request) => Promise<Response> {
  const flags = new DatabaseSync(path);
  flags.exec(
    "PRAGMA busy_timeout = 5000; CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, status INTEGER, body TEXT)",
  );
  const read = flags.prepare("SELECT status, body FROM done WHERE key = ?");
  const write = flags.prepare("INSERT OR REPLACE INTO done (key, status, body) VALUES (?, ?, ?)");
  return (handler) => async (request) => {
    const key = request.headers.get("idempotency-key") ?? "";
    const done = read.get(key) as { status: number; body: string } | undefined;
    if (done) return new Response(done.body, { status: done.status });
    const response = await handler(request);
    const body = await response.text();
    write.run(key, response.status, body);
    return new Response(body, { status: response.status, headers: response.headers });
  };
}
