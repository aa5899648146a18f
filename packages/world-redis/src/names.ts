/**
 * Names, which at most one run has at a time, over all partitions.
 *
 * A name lives in a partition of its own, and Redis has no transaction over two of them. So **the run's partition is the
 * truth**, and the name's partition only tells where to look. A claim is a run id with a *mark*, 16 random characters.
 *
 * In the run's partition, `n:<run>` has an entry per name: `P` and a mark while the run is about to ask for the name, `L` and
 * the mark while it has it. A claim without an entry of its mark is *void*. What a run leaves in other partitions when an entry
 * goes stands in `g:<run>`, with whether the run had the name, until it is removed there.
 *
 * In the name's partition, `names` has one claim per name; or two, where the first *takes over* from the second, whose run has
 * ended. The name is the first one's run's if its entry is `L`; it is the second one's, in the same way, as long as the first
 * one's run has never had it. How a run gets names:
 *
 * 1. *announce* (run's partition): entries `P` with new marks, if the commit can be written, or the run does not exist. Two
 *    sendings of one request share the marks.
 * 2. *reserve* (names' partitions): the claim is written if there is none. If there is another, look into the partition of the
 *    first one's run (*inspect*). The run has the name: that is the answer; or, if it has ended and the name may pass from it, the
 *    own claim is put before its. Or the claim is void: if its run has never had the name, it alone is removed, so that the
 *    second is the first again; else both are replaced. A name whose time is over is given up by this very look. Or it is
 *    undecided (`P`): then wait a little, and if nothing changes, make it void. What the look found is written by compare and
 *    set, and after it all begins again at 2.
 * 3. *commit* or *create* (run's partition), one script with everything else: every `P` becomes `L`, if all still have their
 *    marks. If one has not, nothing is written, and all begins again at 1.
 *
 * A run that does not get all that it needs gives back what it has before it answers: its `P` go, then its claims. How two runs
 * that want the same names in different orders come to an end is told in `contest.ts`.
 *
 * **Why no two runs have one name.** A mark is written as `P` once; from there it goes to `L` and to nothing, or to nothing at
 * once, and never comes back (a name that is given up and asked for again within one commit stays `L`). So a void claim is void
 * for ever, and may be removed however late; and none is removed that is not void: a second claim whose turn it is not any more
 * is made void first (SUPERSEDE). An entry becomes `L` only after its claim was the first, and only while it is `P`, thus not void.
 * Nobody puts a claim before another but where that one's run has the name and has ended. So the claim is still the first one
 * when the HSET of COMMIT or CREATE makes its entry `L`, and nobody else is before it. That is the moment in which the name
 * becomes the run's, together with all others of the script; and in which the run of a second claim loses it, for that counts
 * only as long as the first one's run has never had the name.
 *
 * It does not get it back either. The script that ends an `L` writes into `g:<run>` that the run had the name; then
 * SUPERSEDE makes the second claim void, RELEASE removes both, and only then FORGET removes the record. So who finds the first claim
 * finds its entry or the record, unless the claim is gone since: then the compare and set fails, and who only reads looks
 * at the claims once more. Until it is superseded the second one's run still has its `L`, which means nothing: the run has
 * ended, so it takes no mail and no name; lists of its names ask the names' partitions; and its claim is still there, so
 * that a late sending, which would write it if there were none, does not write it again.
 *
 * **Who dies where.** After 1: nobody else sees anything. After 2: the next who wants the name finds an undecided claim,
 * waits in vain and makes it void; or the same run asks again and goes on with the same mark. A name that was about to pass on
 * is still the other run's all the time. After 3: all is done. An `L` ends in the commit that releases the name or ends the run
 * (with the run only where no time keeps the name), in the look of the next who wants it when its time is over, or with the
 * run's deletion; each makes the claim void at once, and then RELEASE and FORGET clear away. Whoever dies between leaves
 * `g:<run>`, by which the same commit sent again, another commit with names, the end of a run with names or its deletion clears
 * away. A deleted run with a `g:` and a run that was announced and never created are in `unborn`; `deleteRuns` looks after those.
 *
 * **A message over a name** is put into the mailbox by a script in the run's partition that requires `L` with the mark of
 * the claim that was found: so it comes before the release and is delivered, or after it and is not. Before, the claim
 * is written down under the message id (`sent:<message>`, in the name's partition): when the message is sent again it
 * goes to the same run, whoever has the name now. Only a run that does not have the message and whose claim is void, or that has
 * ended, can never get it; then another address is written down. First mail is addressed in the same way once its name is
 * reserved, and put into the mailbox by CREATE: all other claims on the name are void by then, or of a run that has ended, so
 * the message is in the mailbox that `sent:` tells, or will never be in one of theirs. An address that nobody confirmed, because
 * the sender died, is forgotten after a day.
 *
 * What remains: a second sending of one request that sleeps between 1 and 2 until the name is given up leaves a claim that is
 * void and that only the next who wants the name removes, if the sender then dies as well.
 *
 * None of this costs a start or commit anything that neither asks for a name nor ends a run with one.
 */
import type { HeldName, RunRecord } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Contest } from "./contest.ts";
import type { Leftover, Leftovers } from "./leftovers.ts";
import { ANNOUNCE, INSPECT, RESERVE, WITHDRAW } from "./lua/names.ts";
import { type Claim, claimToBytes, firstClaim, newMark, toHeldName } from "./name-entry.ts";
import { divide } from "./partitions.ts";
import { type Reply, toRunRecord } from "./schema.ts";
import { writing } from "./script.ts";
import { toStored } from "./text.ts";

const announce = writing("announce names", ANNOUNCE);
const reserve = writing("reserve name", RESERVE);
const inspect = writing("inspect claim", INSPECT);
const withdraw = writing("withdraw names", WITHDRAW);

/** A run that asks for names. */
export interface Asking {
  readonly runId: string;
  /** Each once; `from` is the run from which it may be taken over. */
  readonly wishes: readonly { readonly name: string; readonly from: string | null }[];
  /** The commit that asks; `null` for a run that does not exist yet. */
  readonly commit: { readonly epoch: number; readonly claimId: string; readonly seq: number } | null;
}

/** Who has a name; `name` and `row` where rows are asked for. */
export interface Holder {
  readonly runId: string;
  readonly name: HeldName | null;
  readonly row: RunRecord | null;
}

/** What became of a name that a run asked for. */
export interface Answer {
  readonly name: string;
  /** The mark under which it is announced. */
  readonly mark: string;
  /** `null`: it is reserved under the mark, or was the run's before. */
  readonly holder: Holder | null;
}

/** What became of an {@link Asking}. */
export type Verdict =
  | readonly Answer[]
  /** The run cannot be written, or is written already: the script that writes it says why. */
  | "unwritable"
  /** Another run is getting one of the names. */
  | "undecided";

/** Names that a run does not take after all. */
export interface Returned {
  readonly runId: string;
  readonly answers: readonly Answer[];
}

export interface Names {
  /** Announces and reserves names. Where others are getting them, they are to be asked for again after `contest.pause()`. */
  ask(
    askings: readonly Asking[],
    contest: Contest,
    options: { readonly now: number; readonly rows: boolean },
  ): Promise<readonly Verdict[]>;
  /** Gives back what was announced and reserved. Answers per run whether it exists. */
  giveBack(returned: readonly Returned[]): Promise<readonly boolean[]>;
}

/** A name that is being reserved. */
interface Bid {
  readonly runId: string;
  readonly name: string;
  readonly from: string | null;
  readonly mark: string;
  /** The run has it already. */
  readonly held: boolean;
  holder: Holder | null;
  undecided: boolean;
}

/** A try: the claims that were found and are no hindrance, and what is to stand in their place. */
interface Try {
  readonly bid: Bid;
  readonly replace: readonly [found: Buffer, place: Buffer] | null;
}

/** A claim of another run that stands before a bid's. */
interface Rival {
  readonly bid: Bid;
  readonly chain: Buffer;
  readonly claim: Claim;
  readonly rest: Buffer;
  readonly force: boolean;
}

export function namesOf(connection: Connection, { supersede, release }: Leftovers): Names {
  const { partitions } = connection;
  const partitionOf = (text: string): number => partitions.of(toStored(text));

  async function announceAll(askings: readonly Asking[]): Promise<(readonly Bid[] | null)[]> {
    const answers = await connection.runShares(
      announce,
      divide(askings, ({ runId }) => partitionOf(runId)),
      ({ items }) =>
        items.flatMap(({ runId, wishes, commit }) => [
          toStored(runId),
          String(wishes.length),
          ...wishes.flatMap(({ name }) => [toStored(name), newMark()]),
          ...(commit === null
            ? ["new"]
            : ["commit", String(commit.epoch), toStored(commit.claimId), String(commit.seq)]),
        ]),
    );
    return askings.map(({ runId, wishes }, index) => {
      const entries = answers[index] as readonly Buffer[] | null;
      if (entries === null) return null;
      return wishes.map((wish, place): Bid => {
        const entry = String(entries[place]);
        const held = entry.startsWith("L");
        return { ...wish, runId, mark: entry.slice(1), held, holder: null, undecided: false };
      });
    });
  }

  async function inspectAll(rivals: readonly Rival[], now: number, rows: boolean): Promise<readonly Reply[]> {
    return connection.runShares(
      inspect,
      divide(rivals, ({ claim }) => partitionOf(claim.runId)),
      ({ items }) => [
        ...connection.clock(now),
        rows ? "rows" : "",
        ...items.flatMap(({ bid, claim, force }) => [
          toStored(claim.runId),
          toStored(bid.name),
          claim.mark,
          force ? "force" : "",
          bid.from === claim.runId ? "from" : "",
        ]),
      ],
    );
  }

  /** Reserves names, as far as nobody has them or is getting them. */
  async function reserveAll(
    bids: readonly Bid[],
    contest: Contest,
    { now, rows }: { readonly now: number; readonly rows: boolean },
  ): Promise<void> {
    let open: readonly Try[] = bids.map((bid) => ({ bid, replace: null }));
    while (open.length > 0) {
      const shares = divide(open, ({ bid }) => partitionOf(bid.name));
      const chains = await connection.runShares(reserve, shares, ({ items }) =>
        items.flatMap(({ bid, replace }) => [toStored(bid.name), claimToBytes(bid), ...(replace ?? [""])]),
      );
      const rivals = open.flatMap(({ bid }, index): Rival[] => {
        const chain = chains[index];
        if (!Buffer.isBuffer(chain)) return [];
        return [{ bid, chain, ...firstClaim(chain), force: contest.isOver(bid.name, chain) }];
      });
      const states = await inspectAll(rivals, now, rows);
      await supersede(
        rivals
          .filter(({ rest }, index) => rest.length > 0 && "HT".includes(stateOf(states[index] ?? null)))
          .map(({ bid, rest }) => ({ name: toStored(bid.name), claim: firstClaim(rest).claim })),
      );
      open = rivals.flatMap((rival, index): Try[] => settle(rival, states[index] ?? null));
    }
  }

  async function giveBack(returned: readonly Returned[]): Promise<readonly boolean[]> {
    const shares = divide(returned, ({ runId }) => partitionOf(runId));
    const answers = await connection.runShares(withdraw, shares, ({ items }) =>
      items.flatMap(({ runId, answers: names }) => [
        toStored(runId),
        String(names.length),
        ...names.flatMap(({ name, mark, holder }) => [
          toStored(name),
          mark,
          holder === null ? "reserved" : "",
        ]),
      ]),
    );
    const leftovers: Leftover[] = [];
    const exist = returned.map(({ runId }, index) => {
      const [exists, ...packed] = answers[index] as readonly [number, ...Buffer[]];
      leftovers.push(...packed.map((one) => ({ runId, packed: one })));
      return exists === 1;
    });
    await release(leftovers);
    return exist;
  }

  return {
    async ask(askings, contest, options) {
      const announced = await announceAll(askings);
      const turns = announced.map((bids) => contest.turnsOf((bids ?? []).filter(({ held }) => !held)));
      for (let turn = 0; turns.some(({ length }) => length > turn); turn++) {
        // Who waits for somebody else does not go on.
        const going = turns.filter((all) => !all.flat().some(({ undecided }) => undecided));
        await reserveAll(
          going.flatMap((all) => all[turn] ?? []),
          contest,
          options,
        );
      }
      const verdicts = announced.map((bids): Verdict => {
        if (bids === null) return "unwritable";
        return bids.some(({ undecided }) => undecided) ? "undecided" : bids;
      });
      const tangled = announced.filter(
        (bids, index) => verdicts[index] === "undecided" && contest.isTangled(bids ?? []),
      ) as (readonly Bid[])[];
      if (tangled.length > 0) {
        await giveBack(tangled.map((bids) => ({ runId: bids[0]?.runId ?? "", answers: bids })));
      }
      return verdicts;
    },

    giveBack,
  };
}

/** What an inspection means for a bid: another try, or that it waits or has lost. */
function settle({ bid, chain, claim, rest }: Rival, state: Reply): Try[] {
  const own = claimToBytes(bid);
  switch (stateOf(state)) {
    case "D":
      return [{ bid, replace: [chain, rest.length > 0 ? rest : own] }];
    case "H":
      return [{ bid, replace: [chain, own] }];
    case "T":
      return [{ bid, replace: [chain, Buffer.concat([own, claimToBytes(claim)])] }];
    case "P":
      bid.undecided = true;
      return [];
    default:
      bid.holder = holderOf(bid.name, claim.runId, state);
      return [];
  }
}

function stateOf(reply: Reply): string {
  return Buffer.isBuffer(reply) ? String(reply) : "L";
}

function holderOf(name: string, runId: string, state: Reply): Holder {
  if (!Array.isArray(state)) return { runId, name: null, row: null };
  const [entry, row] = state as unknown as readonly [Buffer, Reply];
  return { runId, name: toHeldName(name, runId, entry), row: toRunRecord(row) };
}
