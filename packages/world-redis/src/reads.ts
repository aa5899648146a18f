/**
 * Reading: scripts that change nothing. Pages continue after the last key of the page before, so nothing that is created
 * or deleted meanwhile shifts them.
 */
import type { HookRecord, JournalEvent, Mail, OpenStore, RunRecord } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { damaged } from "./errors.ts";
import { listing } from "./listing.ts";
import { CLAIMS, EVENTS, HOOKS, MAIL, MEMBERS, ROWS, TOKENS_OF_RUN } from "./lua/reads.ts";
import { type Claim, readClaim } from "./names.ts";
import { divide } from "./partitions.ts";
import { hookIn, tokenName, toRunRecord, unpackEvent, unpackMail } from "./schema.ts";
import { reading } from "./script.ts";
import { fromStored, toBytes, toStored } from "./text.ts";

const rows = reading("read runs", ROWS);
const events = reading("read journals", EVENTS);
const mail = reading("read mail", MAIL);
const members = reading("list", MEMBERS);
const claims = reading("find claims", CLAIMS);
const hooks = reading("read hooks", HOOKS);
const tokensOfRun = reading("read tokens of a run", TOKENS_OF_RUN);

// The mark's place in an `n:` entry, and the hook's behind it.
const MARK_END = 17;

export type Reads = OpenStore["reads"];

export function reads(connection: Connection): Reads {
  const { partitions } = connection;
  const everywhere = Array.from({ length: partitions.count }, (_, partition) => partition);

  async function getRows(runIds: readonly string[], bare: boolean): Promise<readonly (RunRecord | null)[]> {
    const shares = divide(runIds, (runId) => partitions.of(toStored(runId)));
    const answers = await connection.runShares(rows, shares, ({ items }) => [
      bare ? "bare" : "",
      ...items.map(toStored),
    ]);
    return answers.map((row) => (row === null ? null : toRunRecord(row)));
  }

  /** The first `limit` members after a member, of sorted sets in all partitions. */
  async function firstMembers(
    sets: readonly string[],
    order: "asc" | "desc",
    after: Buffer | null,
    limit: number,
  ): Promise<Buffer[]> {
    const start = after === null ? (order === "asc" ? "-" : "+") : Buffer.concat([Buffer.from("("), after]);
    const answers = await Promise.all(
      everywhere.map((partition) =>
        connection.run(members, partition, [order, start, String(limit), ...sets]),
      ),
    );
    const found = (answers.flat(2) as Buffer[]).sort(Buffer.compare);
    return (order === "asc" ? found : found.reverse()).slice(0, limit);
  }

  /** The hooks that have these claims on their tokens, where they are live. */
  async function hooksOf(
    wanted: readonly { readonly token: string; readonly claim: Claim }[],
  ): Promise<(HookRecord | null)[]> {
    const shares = divide(wanted, ({ claim }) => partitions.of(toStored(claim.runId)));
    const answers = await connection.runShares(hooks, shares, ({ items }) =>
      items.flatMap(({ token, claim }) => [toStored(claim.runId), tokenName(token), claim.mark]),
    );
    return wanted.map(({ token, claim }, index) => {
      const [entry, event] = (answers[index] ?? []) as readonly Buffer[];
      return entry === undefined || event === undefined
        ? null
        : toHookRecord(token, claim.runId, entry, event);
    });
  }

  async function claimsOf(tokens: readonly string[]): Promise<(Claim | null)[]> {
    const names = tokens.map(tokenName);
    const shares = divide(names, (name) => partitions.of(name));
    const answers = await connection.runShares(claims, shares, ({ items }) => items);
    return names.map((_, index) => (Buffer.isBuffer(answers[index]) ? readClaim(answers[index]) : null));
  }

  /** Live hooks by token, and the last token that was looked at. */
  async function hooksAfter(
    after: Buffer | null,
    limit: number,
  ): Promise<{ page: HookRecord[]; last: Buffer | null }> {
    const found = await firstMembers(["tokens"], "asc", after, limit);
    const tokens = found.map(fromStored);
    const claims = await claimsOf(tokens);
    const wanted = tokens.flatMap((token, index) => (claims[index] ? [{ token, claim: claims[index] }] : []));
    const page = (await hooksOf(wanted)).filter((hook) => hook !== null);
    return { page, last: found.length < limit ? null : (found.at(-1) ?? null) };
  }

  return {
    getRuns: (runIds) => getRows(runIds, false),

    ...listing(connection, getRows),

    async listEvents(runId, after, limit) {
      const [journal = []] = await readJournals(connection, [{ runId, after, last: after + limit }]);
      try {
        return unpackJournal(journal, after);
      } catch (error) {
        throw damaged(runId, (error as Error).message);
      }
    },

    async listMail(wanted) {
      const shares = divide(wanted, ({ runId }) => partitions.of(toStored(runId)));
      const answers = await connection.runShares(mail, shares, ({ items }) =>
        items.map(({ runId }) => toStored(runId)),
      );
      return wanted.map(({ after }, index) => {
        const [mailDone, ...messages] = answers[index] as readonly [number, ...Buffer[]];
        return readMailbox(messages, mailDone, after);
      });
    },

    async getHookByToken(token) {
      let known: string | null = null;
      for (;;) {
        const [claim = null] = await claimsOf([token]);
        // The same claim as before: the run does not have the token, and nobody else has taken it since.
        if (claim === null || claim.mark === known) return null;
        const [hook = null] = await hooksOf([{ token, claim }]);
        if (hook !== null) return hook;
        known = claim.mark;
      }
    },

    async listHooks({ runId, limit, cursor }) {
      const after = cursor === undefined ? null : toBytes(cursor);
      const found: HookRecord[] = [];
      if (runId === undefined) {
        let last = after;
        do {
          const next = await hooksAfter(last, limit + 1);
          found.push(...next.page);
          last = next.last;
        } while (last !== null && found.length <= limit);
      } else {
        const id = toStored(runId);
        const pairs = (await connection.run(tokensOfRun, partitions.of(id), [id])) as readonly Buffer[];
        const tokens = liveTokens(pairs, runId)
          .filter(({ bytes }) => after === null || Buffer.compare(bytes, after) > 0)
          .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
        found.push(...(await hooksOf(tokens.slice(0, limit + 1))).filter((hook) => hook !== null));
      }
      const page = found.slice(0, limit);
      return { hooks: page, cursor: found.length > limit ? (page.at(-1)?.token ?? null) : null };
    },
  };
}

/** A stretch of a journal: the events after seq `after`, up to `last`. */
export interface Stretch {
  readonly runId: string;
  readonly after: number;
  readonly last: number;
}

/** Stretches of journals, as they are stored. */
export async function readJournals(
  connection: Connection,
  wanted: readonly Stretch[],
): Promise<readonly (readonly Buffer[])[]> {
  const shares = divide(wanted, ({ runId }) => connection.partitions.of(toStored(runId)));
  const answers = await connection.runShares(events, shares, ({ items }) =>
    items.flatMap(({ runId, after, last }) => [toStored(runId), String(after), String(last - 1)]),
  );
  // A list counts from the end when the last place is below 0.
  return wanted.map(({ after, last }, index) =>
    last > after ? ((answers[index] ?? []) as readonly Buffer[]) : [],
  );
}

/**
 * @param packed the events after seq `after`
 * @throws {Error} that says which event cannot be read
 */
export function unpackJournal(packed: readonly Buffer[], after: number): readonly JournalEvent[] {
  return packed.map((event, place) => unpackEvent(event, after + place + 1));
}

/** @param messages those after `mailDone`; answers those after `after` as well */
export function readMailbox(messages: readonly Buffer[], mailDone: number, after: number): readonly Mail[] {
  const skipped = Math.max(after - mailDone, 0);
  return messages.slice(skipped).map((entry, index) => unpackMail(entry, mailDone + skipped + index + 1));
}

function liveTokens(
  pairs: readonly Buffer[],
  runId: string,
): { token: string; bytes: Buffer; claim: Claim }[] {
  const tokens: { token: string; bytes: Buffer; claim: Claim }[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    const [name, entry] = [pairs[index], pairs[index + 1]] as [Buffer, Buffer];
    if (name[0] !== 0x74 || entry[0] !== 0x4c) continue;
    const bytes = name.subarray(1);
    tokens.push({
      token: fromStored(bytes),
      bytes,
      claim: { runId, mark: entry.toString("latin1", 1, MARK_END) },
    });
  }
  return tokens;
}

function toHookRecord(token: string, runId: string, entry: Buffer, packed: Buffer): HookRecord {
  const { at, data } = unpackEvent(packed, 0);
  const { hookId } = hookIn(Buffer.concat([Buffer.from("+"), entry.subarray(MARK_END)]));
  return { token, hookId: hookId ?? "", runId, createdAt: at, data };
}
