/**
 * Finding names. Who has a name is told by the claims in its partition and the entries of their runs; see `names.ts`.
 */
import type { HeldName, ListNamesQuery, NamePage } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { CLAIMS, LISTED, LOOK, NAMES_OF_RUN } from "./lua/name-reads.ts";
import { type Claim, firstClaim, toHeldName } from "./name-entry.ts";
import { divide } from "./partitions.ts";
import { reading } from "./script.ts";
import { fromStored, hasLoneSurrogate, toBytes, toStored, toUtf16 } from "./text.ts";

const claims = reading("find claims", CLAIMS);
const look = reading("look for names", LOOK);
const listed = reading("list names", LISTED);
const namesOfRun = reading("read names of a run", NAMES_OF_RUN);

/** A name that is looked for. */
interface Sought {
  readonly place: number;
  readonly name: string;
  /** The claims of which the first is void, and what the second says; to be seen once more. */
  readonly seen: { readonly chain: Buffer; readonly held: HeldName } | null;
}

/** A claim that is followed to its run. */
interface Lead {
  readonly sought: Sought;
  readonly chain: Buffer;
  readonly claim: Claim;
  readonly rest: Buffer;
}

export interface NameReads {
  getNames(names: readonly string[], now: number): Promise<readonly (HeldName | null)[]>;
  listNames(query: ListNamesQuery): Promise<NamePage>;
}

export function nameReads(connection: Connection): NameReads {
  const { partitions } = connection;
  const everywhere = Array.from({ length: partitions.count }, (_, partition) => partition);

  /** What the runs of these claims say: their names, or the states of the claims. */
  async function follow(leads: readonly Lead[], now: number): Promise<(HeldName | string)[]> {
    const shares = divide(leads, ({ claim }) => partitions.of(toStored(claim.runId)));
    const answers = await connection.runShares(look, shares, ({ items }) => [
      ...connection.clock(now),
      ...items.flatMap(({ sought, claim }) => [toStored(claim.runId), toStored(sought.name), claim.mark]),
    ]);
    return leads.map(({ sought, claim }, index) => {
      const answer = answers[index] as Buffer;
      return answer.length === 1 ? String(answer) : toHeldName(sought.name, claim.runId, answer);
    });
  }

  async function getNames(names: readonly string[], now: number): Promise<(HeldName | null)[]> {
    const found: (HeldName | null)[] = names.map(() => null);
    let open: readonly Sought[] = names.map((name, place) => ({ place, name, seen: null }));
    while (open.length > 0) {
      const shares = divide(open, ({ name }) => partitions.of(toStored(name)));
      const chains = await connection.runShares(claims, shares, ({ items }) =>
        items.map(({ name }) => toStored(name)),
      );
      const leads: Lead[] = [];
      for (const [index, sought] of open.entries()) {
        const chain = chains[index];
        if (!Buffer.isBuffer(chain)) continue;
        if (sought.seen?.chain.equals(chain)) found[sought.place] = sought.seen.held;
        else leads.push({ sought, chain, ...firstClaim(chain) });
      }
      const firsts = await follow(leads, now);
      const under: Lead[] = [];
      for (const [index, lead] of leads.entries()) {
        const first = firsts[index];
        if (typeof first === "object") found[lead.sought.place] = first;
        else if ((first === "P" || first === "D") && lead.rest.length > 0)
          under.push({ ...lead, ...firstClaim(lead.rest) });
      }
      const seconds = await follow(under, now);
      // That the first run has never had the name is certain only while its claim is there.
      open = under.flatMap(({ sought, chain }, index) => {
        const held = seconds[index];
        return typeof held === "object" ? [{ ...sought, seen: { chain, held } }] : [];
      });
    }
    return found;
  }

  /** The names from one bound to another, the first `limit` of all partitions. */
  async function namesBetween(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]> {
    const answers = await Promise.all(
      everywhere.map((partition) => connection.run(listed, partition, [from, to, String(limit)])),
    );
    return (answers.flat() as Buffer[]).sort(Buffer.compare).slice(0, limit);
  }

  async function listAll({ prefix = "", cursor, limit, now }: ListNamesQuery): Promise<HeldName[]> {
    const found: HeldName[] = [];
    const after = cursor === undefined ? null : toBytes(cursor);
    for (const start of startsOf(prefix)) {
      if (after !== null && Buffer.compare(after, afterAll(start)) >= 0) continue;
      let from = after === null || Buffer.compare(after, start) < 0 ? bound("[", start) : bound("(", after);
      const to = bound("(", afterAll(start));
      for (;;) {
        const members = await namesBetween(from, to, limit + 1);
        const names = members.map(fromStored).filter((name) => name.startsWith(prefix));
        found.push(...(await getNames(names, now)).filter((name) => name !== null));
        const last = members.at(-1);
        if (found.length > limit) return found;
        if (last === undefined || members.length <= limit) break;
        from = bound("(", last);
      }
    }
    return found;
  }

  async function listOfRun({ prefix = "", cursor, limit, now }: ListNamesQuery, runId: string) {
    const id = toStored(runId);
    const after = cursor === undefined ? null : toBytes(cursor);
    const names = ((await connection.run(namesOfRun, partitions.of(id), [id])) as readonly Buffer[])
      .filter((bytes) => after === null || Buffer.compare(bytes, after) > 0)
      .sort(Buffer.compare)
      .map(fromStored)
      .filter((name) => name.startsWith(prefix));
    const found: HeldName[] = [];
    for (let first = 0; first < names.length && found.length <= limit; first += limit + 1) {
      const held = await getNames(names.slice(first, first + limit + 1), now);
      found.push(...held.filter((name) => name?.runId === runId).filter((name) => name !== null));
    }
    return found;
  }

  return {
    getNames,

    async listNames(query) {
      const { runId, limit } = query;
      const found = runId === undefined ? await listAll(query) : await listOfRun(query, runId);
      const names = found.slice(0, limit);
      return { names, cursor: found.length > limit ? (names.at(-1)?.name ?? null) : null };
    },
  };
}

/**
 * How the stored forms of all names with a prefix begin: those that are UTF-8, and those with a lone surrogate. A prefix may end
 * in the middle of a character.
 */
function startsOf(prefix: string): Buffer[] {
  const whole = prefix.replace(/\p{Surrogate}$/u, "");
  return hasLoneSurrogate(whole) ? [toUtf16(prefix)] : [Buffer.from(whole), toUtf16(prefix)];
}

// A name has at most so many bytes with a lone surrogate, and some more.
const LONGEST = 1_300;

/** The first bytes behind all stored forms that begin with these. */
function afterAll(start: Buffer): Buffer {
  // UTF-8 has no such byte; what has a lone surrogate begins with it.
  if (start.length === 0) return Buffer.of(0xff);
  const last = start.findLastIndex((byte) => byte !== 0xff);
  if (last < 0) return Buffer.alloc(LONGEST, 0xff);
  const after = Buffer.from(start.subarray(0, last + 1));
  after[last] = (after[last] as number) + 1;
  return after;
}

function bound(side: "[" | "(", bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(side), bytes]);
}
