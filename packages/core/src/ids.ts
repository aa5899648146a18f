import { hash, randomBytes } from "node:crypto";
import { monotonicFactory, ulid } from "ulid";
import { seededRandom } from "./determinism/random.ts";

/** Ids: those of runs come from time and randomness, those inside a run are pure functions of it. */

/** Makes new, unguessable ids. Injected, so that a simulation is repeatable. */
export interface IdSource {
  /** A run id: `wrun_` + ULID of the time. */
  runId(now: number): string;
  /** A random string of 32 characters in `[A-Za-z0-9_-]`: message ids, worker ids, hook tokens. */
  token(): string;
}

const TOKEN_BYTES = 24;

/** Ids from the system's randomness. */
export function systemIds(): IdSource {
  const ulid = monotonicFactory();
  let random: Buffer = Buffer.alloc(0);
  let used = 0;
  return {
    runId: (now) => `wrun_${ulid(now)}`,
    token() {
      // Asking the system is dear: it gives bytes for many at once.
      if (used === random.length) {
        random = randomBytes(TOKEN_BYTES * 128);
        used = 0;
      }
      const token = random.toString("base64url", used, used + TOKEN_BYTES);
      random.fill(0, used, used + TOKEN_BYTES);
      used += TOKEN_BYTES;
      return token;
    },
  };
}

/** Whether a text has the form of an {@link IdSource.token}. */
export function isToken(text: string): boolean {
  return /^[\w-]{32}$/.test(text);
}

/** Ids from a given generator of numbers in [0, 1). For tests. */
export function seededIds(random: () => number): IdSource {
  const ulid = monotonicFactory(random);
  return {
    runId: (now) => `wrun_${ulid(now)}`,
    token: () =>
      Buffer.from(Array.from({ length: 24 }, () => Math.floor(random() * 256))).toString("base64url"),
  };
}

/** What an id inside a run names: the word with which it begins, such as `step`. Each kind of request has its own. */
export type EntityKind = string;

/**
 * The id of the `count`-th (from 1) entity of this name in a generation of a run. The same across retries, replays and machines; does
 * not move when an unrelated step is added; 162 bits of SHA-256, so unique over all runs; 32 characters.
 */
export function entityId(
  kind: EntityKind,
  { runId, generation }: { readonly runId: string; readonly generation: number },
  name: string,
  count: number,
): string {
  const parts = generation === 0 ? [runId, kind, name, count] : [runId, kind, name, count, generation];
  const digest = hash("sha256", joined(...parts), "base64url");
  return `${kind}_${digest.slice(0, 27)}`;
}

/** The id of the run that is started by the entity of this id at this time, by the clock of the run that starts it. */
export function childRunId(id: string, at: number): string {
  const random = seededRandom(id);
  return `wrun_${ulid(at, random)}`;
}

/** The id of the message by which something is told once, however often it is told: 43 characters and a prefix. */
export function derivedMessageId(...parts: readonly string[]): string {
  return `told_${hash("sha256", joined(...parts), "base64url")}`;
}

/** The id of the message that carries a sender's idempotency key to a hook token; 43 characters and a prefix. */
export function keyedMessageId(token: string, key: string): string {
  return `key_${hash("sha256", joined(token, key), "base64url")}`;
}

/**
 * Parts as one text that no other parts have. No character can separate them, since names, tokens and keys may contain any;
 * JSON keeps them apart, and lone surrogates as well, which the hash would take for one another.
 */
function joined(...parts: readonly (string | number)[]): string {
  return JSON.stringify(parts);
}
