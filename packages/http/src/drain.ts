import { createHash, timingSafeEqual } from "node:crypto";
import { type DrainOptions, drain } from "@perdure/core/runtime";

/** Draining a store by request: what a platform's cron calls where no worker runs all the time. */

/** Options of {@link drainHandler}: those of `drain`, and who may ask for one. */
export interface DrainHandlerOptions extends DrainOptions {
  /** What a caller sends as `Authorization: Bearer <secret>`. */
  readonly secret: string;
}

/**
 * A handler of `Request → Response` that drains the store once per request: `drain(options)`, and its answer as JSON,
 * `{ processed, due, nextDueAt }`.
 *
 * Takes GET, which crons send, and POST, whatever the path; 405 for everything else. 401 without the secret, which is compared in
 * constant time.
 *
 * @throws {TypeError} for an empty secret, as an environment variable that is not set would be; the handler rejects as `drain` does
 * @example
 * ```ts
 * export const GET = drainHandler({ world, secret: process.env.CRON_SECRET ?? "", budgetMs: 50_000 });
 * ```
 */
export function drainHandler(options: DrainHandlerOptions): (request: Request) => Promise<Response> {
  const { secret, ...drainOptions } = options;
  if (typeof secret !== "string" || secret === "") {
    throw new TypeError(
      "drainHandler({ secret }): must be a text that is not empty. Set the environment variable that it comes from, and let the cron send it.",
    );
  }
  const wanted = digest(`Bearer ${secret}`);
  return async ({ method, headers }) => {
    if (method !== "GET" && method !== "POST") {
      return new Response(null, { status: 405, headers: { allow: "GET, POST" } });
    }
    const given = headers.get("authorization") ?? "";
    if (!timingSafeEqual(digest(given.replace(/^bearer +/i, "Bearer ")), wanted)) {
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } });
    }
    return Response.json(await drain(drainOptions), { headers: { "cache-control": "no-store" } });
  };
}

/** Digests are of one length, so that comparing them tells nothing of the secret's. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
