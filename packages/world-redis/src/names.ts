/**
 * What is unique over all partitions: hook tokens and start keys, both called names here.
 *
 * A name lives in a partition of its own, and Redis has no transaction over two of them. So **the run's partition is the
 * truth**, and the name's partition only tells where to look. A claim is a run id with a *mark*, 16 random characters.
 *
 * In the run's partition, `n:<run>` holds per name one entry with a mark:
 *
 * - `P` announced: the run is about to ask for the name,
 * - `L` the run has the name (the hook is live, the run with the key exists),
 * - `F` given up: the name's partition may still have the claim, and somebody has to remove it.
 *
 * In the name's partition, `names` holds at most one claim per name. How a run gets a name:
 *
 * 1. *announce* (run's partition): entry `P` with a new mark, if the commit can be written at all. Two sendings of one
 *    commit share the mark.
 * 2. *reserve* (name's partition): the claim is written if there is none. If there is another, look into the partition
 *    of its run (*inspect*): the run has the name, and that is the answer; or the claim is *void* (no entry with its
 *    mark, or `F`), and is replaced by compare and set; or it is undecided (`P`). Then wait a little, and if nothing
 *    changes, make it void: remove that `P`.
 * 3. *commit* or *create* (run's partition), one script with everything else: `P` becomes `L`, if it still has that very
 *    mark. If it has not, nothing is written, and all begins again at 1.
 *
 * **Why no two runs have one name.** A mark is written as `P` once; from there it goes to `L`, `F` and nothing, or to
 * nothing at once, and never comes back (a token that is given up and asked for again within one commit is never `F`
 * in between). So a void claim is void for ever, and may be replaced however late. A run's entry becomes `L` only after
 * its claim was in the name's partition, and only while the entry is `P`, thus not void, thus the claim is still there.
 * So every `L` has its claim in the name's partition, and there is one claim per name.
 *
 * **Who dies where.** After 1: nobody else sees anything. After 2: the next who wants the name finds an undecided claim,
 * waits in vain and makes it void; or the same run asks again and goes on with the same mark. After 3: all is done. A
 * token's `L` ends in the commit that disposes the hook or ends the run: it becomes `F`, which already makes the claim
 * void, and then the claim and the entry are removed; whoever dies between leaves the entry, which names the claim, so
 * that the same commit sent again, the run's end or its deletion removes it. A start key's `L` ends with the run's
 * deletion: its script leaves `n:<run>` with all entries `F` and the run in `unborn`, from where they are released, at
 * once or in the next `deleteRuns`. A run that was announced and never created is in `unborn` too.
 *
 * **A message to a token** is put into the mailbox by a script in the run's partition that requires `L` with the mark of
 * the claim that was found: so it comes before the disposal and is delivered, or after it and is not. Before, the claim
 * is written down under the message id (`sent:<message>`, in the token's partition): when the message is sent again it
 * goes to the same run, whoever has the token now. Only a run that does not have the message and whose claim is void can
 * never get it; then another address is written down. An address that nobody confirmed, because the sender died, is
 * forgotten after a day.
 *
 * What remains: a second sending of one commit that sleeps between 1 and 2 until the hook is gone leaves a claim that is
 * void and that only the next who wants the token removes, if the sender then dies as well.
 *
 * None of this costs a commit anything that neither asks for a token nor ends a run with one.
 */
import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { RunRecord } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { FORGET, GIVEN_UP, INSPECT, RELEASE, RESERVE } from "./lua/names.ts";
import { divide } from "./partitions.ts";
import { type Name, type Reply, toRunRecord } from "./schema.ts";
import { reading, writing } from "./script.ts";
import { fromStored, type Stored, toBytes, toStored } from "./text.ts";

const reserve = writing("reserve name", RESERVE);
const inspect = writing("inspect claim", INSPECT);
const givenUp = reading("find names to release", GIVEN_UP);
const release = writing("release name", RELEASE);
const forget = writing("forget name", FORGET);

const MARK_LENGTH = 16;

// An undecided claim is given so many chances, each a pause of at most so many milliseconds.
const CHANCES = 8;
const PAUSE = 8;

/** A mark that no other claim has. */
export function newMark(): string {
  return randomBytes(12).toString("base64url");
}

/** A run that asks for a name, announced under this mark. */
export interface Request {
  readonly name: Name;
  readonly runId: string;
  readonly mark: string;
}

/** Who has a name. `row` and `fingerprint` come with start keys. */
export interface Holder {
  readonly runId: string;
  readonly fingerprint: string | null;
  readonly row: RunRecord | null;
}

/** A claim as the name's partition has it. */
export interface Claim {
  readonly mark: string;
  readonly runId: string;
}

export function readClaim(bytes: Buffer): Claim {
  return {
    mark: bytes.toString("latin1", 0, MARK_LENGTH),
    runId: fromStored(bytes.subarray(MARK_LENGTH)),
  };
}

function claimBytes({ mark, runId }: Claim): Buffer {
  return Buffer.concat([Buffer.from(mark, "latin1"), toBytes(runId)]);
}

/** A name that a run has given up, as its `n:` entry tells it. */
export interface GivenUp {
  readonly runId: string;
  readonly name: Buffer;
  readonly entry: Buffer;
}

export interface Names {
  /** Gets each name for its run; `null` for those that are reserved now, else who has it. */
  reserveAll(requests: readonly Request[], now: number): Promise<readonly (Holder | null)[]>;
  /** Removes what runs have given up, as their partitions tell it. */
  releaseOf(runIds: readonly string[]): Promise<void>;
  /** Removes these from their names' partitions, then from their runs'. */
  release(names: readonly GivenUp[]): Promise<void>;
}

export function namesOf(connection: Connection): Names {
  const { partitions } = connection;

  async function tryReserve(requests: readonly Pending[]): Promise<readonly Reply[]> {
    const shares = divide(requests, ({ name }) => partitions.of(name));
    return connection.runShares(reserve, shares, ({ items }) =>
      items.flatMap((item) => [item.name, claimBytes(item), item.void ?? ""]),
    );
  }

  async function inspectAll(requests: readonly Contested[], now: number): Promise<readonly Reply[]> {
    const shares = divide(requests, ({ rival }) => partitions.of(toStored(rival.runId)));
    return connection.runShares(inspect, shares, ({ items }) => [
      ...connection.clock(now),
      ...items.flatMap(({ rival, request, force }) => [
        toStored(rival.runId),
        request.name,
        rival.mark,
        force ? "force" : "",
      ]),
    ]);
  }

  async function releaseAll(names: readonly GivenUp[]): Promise<void> {
    if (names.length === 0) return;
    const shares = divide(names, ({ name, entry }) => partitions.of(addressOf(name, entry)));
    await connection.runShares(release, shares, ({ items }) =>
      items.flatMap(({ runId, name, entry }) => [name, entry.subarray(1, 1 + MARK_LENGTH), toStored(runId)]),
    );
    const owners = divide(names, ({ runId }) => partitions.of(toStored(runId)));
    await connection.runShares(forget, owners, ({ items }) =>
      items.flatMap(({ runId, name, entry }) => [toStored(runId), name, entry]),
    );
  }

  return {
    async reserveAll(requests, now) {
      const holders: (Holder | null)[] = requests.map(() => null);
      let open: Pending[] = requests.map((request, place) => ({ ...request, place, void: null, chances: 0 }));
      while (open.length > 0) {
        const answers = await tryReserve(open);
        const contested = open.flatMap((request, index): Contested[] => {
          const bytes = answers[index];
          if (!Buffer.isBuffer(bytes)) return [];
          return [{ request, bytes, rival: readClaim(bytes), force: request.chances >= CHANCES }];
        });
        if (contested.length === 0) break;
        const verdicts = await inspectAll(contested, now);
        open = [];
        let wait = false;
        for (const [index, { request, bytes, rival }] of contested.entries()) {
          const verdict = verdicts[index] ?? null;
          const state = Buffer.isBuffer(verdict) ? String(verdict) : null;
          if (state === "D") {
            open.push({ ...request, void: bytes, chances: 0 });
          } else if (state === "P") {
            open.push({ ...request, void: null, chances: request.chances + 1 });
            wait = true;
          } else {
            holders[request.place] = holderOf(rival.runId, verdict);
          }
        }
        if (wait) await delay(randomInt(1, PAUSE));
      }
      return holders;
    },

    async releaseOf(runIds) {
      if (runIds.length === 0) return;
      const shares = divide(runIds, (runId) => partitions.of(toStored(runId)));
      const answers = await connection.runShares(givenUp, shares, ({ items }) => items.map(toStored));
      await releaseAll(
        runIds.flatMap((runId, index) => readGivenUp(runId, answers[index] as readonly Buffer[])),
      );
    },

    release: releaseAll,
  };
}

interface Pending extends Request {
  readonly place: number;
  /** The claim that was found to be void, and may be replaced. */
  readonly void: Buffer | null;
  readonly chances: number;
}

interface Contested {
  readonly request: Pending;
  readonly bytes: Buffer;
  readonly rival: Claim;
  readonly force: boolean;
}

function holderOf(runId: string, verdict: Reply): Holder {
  if (verdict === null || typeof verdict === "number" || Buffer.isBuffer(verdict)) {
    return { runId, fingerprint: null, row: null };
  }
  const [fingerprint, row] = verdict as readonly [Buffer, Reply];
  return { runId, fingerprint: fromStored(fingerprint), row: toRunRecord(row) };
}

/** @param pairs name, entry, name, entry … */
export function readGivenUp(runId: string, pairs: readonly Buffer[]): GivenUp[] {
  const names: GivenUp[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    names.push({ runId, name: pairs[index] as Buffer, entry: pairs[index + 1] as Buffer });
  }
  return names;
}

// The address of a message lies in the partition of the token to which it was sent, which its entry tells.
function addressOf(name: Buffer, entry: Buffer): Stored {
  return name[0] === 0x73 ? entry.subarray(1 + MARK_LENGTH) : name;
}
