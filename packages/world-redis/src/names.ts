/**
 * HEADER
 */
import type { HeldName, RunRecord } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { Contest } from "./contest.ts";
import { ANNOUNCE, FORGET, INSPECT, LEFT, RELEASE, RESERVE, WITHDRAW } from "./lua/names.ts";
import {
  type Claim,
  claimToBytes,
  firstClaim,
  type Leftover,
  newMark,
  toHeldName,
  unpackLeftover,
} from "./name-entry.ts";
import { divide } from "./partitions.ts";
import { type Reply, toRunRecord } from "./schema.ts";
import { reading, writing } from "./script.ts";
import { toStored } from "./text.ts";

const announce = writing("announce names", ANNOUNCE);
const reserve = writing("reserve name", RESERVE);
const inspect = writing("inspect claim", INSPECT);
const withdraw = writing("withdraw names", WITHDRAW);
const left = reading("find names to release", LEFT);
const release = writing("release name", RELEASE);
const forget = writing("forget name", FORGET);

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
  /** Removes what runs have left in other partitions. */
  releaseOf(runIds: readonly string[]): Promise<void>;
  /** Removes these, and then forgets them. */
  release(leftovers: readonly Leftover[]): Promise<void>;
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

export function namesOf(connection: Connection): Names {
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
    await releaseAll(leftovers);
    return exist;
  }

  async function releaseAll(leftovers: readonly Leftover[]): Promise<void> {
    if (leftovers.length === 0) return;
    const unpacked = leftovers.map(unpackLeftover);
    const shares = divide(unpacked, ({ name }) => partitions.of(name));
    await connection.runShares(release, shares, ({ items }) => items.flatMap(({ args }) => args));
    const owners = divide(leftovers, ({ runId }) => partitionOf(runId));
    await connection.runShares(forget, owners, ({ items }) =>
      items.flatMap(({ runId, packed }) => [toStored(runId), packed]),
    );
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

    async releaseOf(runIds) {
      if (runIds.length === 0) return;
      const shares = divide(runIds, partitionOf);
      const answers = await connection.runShares(left, shares, ({ items }) => items.map(toStored));
      await releaseAll(
        runIds.flatMap((runId, index) =>
          (answers[index] as readonly Buffer[]).map((packed) => ({ runId, packed })),
        ),
      );
    },

    release: releaseAll,
  };
}

/** What an inspection means for a bid: another try, or that it waits or has lost. */
function settle({ bid, chain, claim, rest }: Rival, state: Reply): Try[] {
  const own = claimToBytes(bid);
  switch (Buffer.isBuffer(state) ? String(state) : "") {
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

function holderOf(name: string, runId: string, state: Reply): Holder {
  if (!Array.isArray(state)) return { runId, name: null, row: null };
  const [entry, row] = state as unknown as readonly [Buffer, Reply];
  return { runId, name: toHeldName(name, runId, entry), row: toRunRecord(row) };
}
