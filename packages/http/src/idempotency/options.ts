import { hash } from "node:crypto";
import type { Length } from "@perdure/core";
import { getWorld, type Logger, type LoggerChoice, resolveLogger, worldInUse } from "@perdure/core/runtime";
import { type Clock, checkOptionNames, lengthMs, type World } from "@perdure/core/world";
import { defaultScope } from "./default-scope.ts";
import type { KeyStore } from "./key-lease.ts";
import type { IdempotencyMode } from "./refusals.ts";

/** What `idempotent` takes, and what it makes of it. */

/** Options of `idempotent` and its adapters. */
export interface IdempotentOptions {
  /**
   * Where keys and answers are kept. Default: the World of the process. Answers are encrypted where the process encrypts what is in that
   * World.
   */
  readonly world?: World;
  /** The form of refusals: `"ietf"`, the default, or `"stripe"`. */
  readonly mode?: IdempotencyMode;
  /**
   * Names the client that a request is from, for as long as its keys live: keys of two clients have nothing to do with each other.
   * Default: a credential that does not change (`Authorization: Basic`, an opaque `Bearer`, `X-Api-Key`); a request that has none, or
   * one that is exchanged, as a JWT is, is refused with 500. It must have been authenticated before.
   */
  readonly scope?: (request: Request) => string | Promise<string>;
  /** How long an answer is kept. Default 24 hours. */
  readonly ttl?: Length;
  /** What must be the same in each request with one key. Default: method, path with query, and the bytes of the body. */
  readonly fingerprint?: (request: Request) => string | Promise<string>;
  /** Whether a request without a key is refused. Default `true`; else the handler is called as if there were no `idempotent`. */
  readonly required?: boolean;
  /**
   * How long the key of a process that died is in flight; renewed while a handler works. Default 15 seconds, at least 100 ms.
   */
  readonly lease?: Length;
  /**
   * How long a handler may work. One that takes longer is aborted by its `signal`, the client gets 504, and the key can be handled
   * again when its lease is over. Default 10 minutes.
   */
  readonly timeout?: Length;
  /** The largest body, of a request as of an answer. Default 4 MiB, at most 8 MiB. */
  readonly maxBodyBytes?: number;
  /** The headers of an answer that are kept. Default: all but those that are for one answer only, such as `Set-Cookie` and `Date`. */
  readonly headers?: readonly string[];
  /** Where it says what it could not do. Default: as for workers. */
  readonly logger?: LoggerChoice;
}

/** The options, checked, with their defaults. */
export interface Terms {
  readonly mode: IdempotencyMode;
  readonly required: boolean;
  readonly maxBodyBytes: number;
  readonly logger: Logger;
  scope(request: Request): Promise<string>;
  /** @param body the request's, which may be read again */
  fingerprint(request: Request, body: Uint8Array<ArrayBuffer> | null): Promise<string>;
  keepsHeader(name: string): boolean;
  store(): KeyStore;
}

const LARGEST_BODY = 8 * 1024 * 1024;

/** They say something of one answer, one connection, or one client's session. */
const OF_ONE_ANSWER = new Set([
  "age",
  "connection",
  "content-length",
  "date",
  "idempotent-replayed",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "set-cookie",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Reads the options of `caller`. */
export function termsOf(caller: string, options: IdempotentOptions, clock: Clock): Terms {
  checkOptionNames<IdempotentOptions>(caller, options, {
    world: true,
    mode: true,
    scope: true,
    ttl: true,
    fingerprint: true,
    required: true,
    lease: true,
    timeout: true,
    maxBodyBytes: true,
    headers: true,
    logger: true,
  });
  const { mode = "ietf", scope = defaultScope, fingerprint, required = true, headers } = options;
  const { maxBodyBytes = LARGEST_BODY / 2, world } = options;
  if (mode !== "ietf" && mode !== "stripe") {
    throw new TypeError(`${caller}: mode must be "ietf" or "stripe", got ${JSON.stringify(mode)}.`);
  }
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 0 || maxBodyBytes > LARGEST_BODY) {
    throw new TypeError(
      `${caller}: maxBodyBytes must be a whole number from 0 to ${LARGEST_BODY}, got ${maxBodyBytes}.`,
    );
  }
  const ttl = lengthMs(options.ttl ?? "24h", `${caller}: ttl`);
  const lease = lengthMs(options.lease ?? "15s", `${caller}: lease`);
  const timeout = lengthMs(options.timeout ?? "10m", `${caller}: timeout`);
  if (ttl < 1) throw new TypeError(`${caller}: ttl must be longer than nothing.`);
  if (lease < 100) throw new TypeError(`${caller}: lease must be at least 100 ms, got ${lease}.`);
  if (timeout < 1) throw new TypeError(`${caller}: timeout must be longer than nothing.`);
  const kept = headers === undefined ? null : new Set(headers.map((name) => name.toLowerCase()));
  return {
    mode,
    required,
    maxBodyBytes,
    logger: resolveLogger(options.logger),
    keepsHeader: (name) =>
      kept === null ? !OF_ONE_ANSWER.has(name) : kept.has(name) && name !== "set-cookie",
    store: () => ({
      world: world === undefined ? getWorld() : worldInUse(world),
      clock,
      lease,
      ttl,
      timeout,
    }),
    async scope(request) {
      return text(await scope(request), `${caller}: what scope gave`);
    },
    async fingerprint(request, body) {
      const said =
        fingerprint === undefined
          ? plainFingerprint(request, body)
          : text(await fingerprint(request.clone()), `${caller}: what fingerprint gave`);
      return hash("sha256", said, "base64url");
    },
  };
}

function plainFingerprint({ method, url }: Request, body: Uint8Array<ArrayBuffer> | null): string {
  const { pathname, search } = new URL(url);
  return JSON.stringify([method, pathname + search, hash("sha256", body ?? new Uint8Array(), "base64url")]);
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "") {
    throw new TypeError(`${what} must be a string that is not empty, got ${typeof value}.`);
  }
  return value;
}
