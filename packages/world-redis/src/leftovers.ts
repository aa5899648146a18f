/**
 * What runs have left in other partitions when their entries went: claims on names, and addresses of messages. It stands in the
 * run's `g:` until it is removed there; see `names.ts`.
 */
import type { Connection } from "./connection.ts";
import { FORGET, LEFT, RELEASE, SUPERSEDE } from "./lua/names.ts";
import { type Claim, claimToBytes, firstClaim, MARK_LENGTH } from "./name-entry.ts";
import { divide } from "./partitions.ts";
import { reading, writing } from "./script.ts";
import { type Stored, toBytes, toStored } from "./text.ts";

const takenOver = writing("supersede claim", SUPERSEDE);
const left = reading("find names to release", LEFT);
const removal = writing("release name", RELEASE);
const forget = writing("forget name", FORGET);

/** Something that a run has left in another partition. */
export interface Leftover {
  readonly runId: string;
  /** As `g:<run>` has it. */
  readonly packed: Buffer;
}

/** A claim on a name that another run has taken over. */
interface Superseded {
  readonly name: Stored;
  readonly claim: Claim;
}

/** In whose partition a leftover is, and how the script that removes it takes it. */
interface Removal {
  readonly name: Buffer;
  readonly args: readonly [kind: string, key: Buffer, whose: Buffer];
}

export interface Leftovers {
  /** Gives up names that others have taken over. Their claims may be removed then. */
  supersede(claims: readonly Superseded[]): Promise<void>;
  /** Removes these, and then forgets them. */
  release(leftovers: readonly Leftover[]): Promise<void>;
  /** The same of all that these runs have left. */
  releaseOf(runIds: readonly string[]): Promise<void>;
}

export function leftoversOf(connection: Connection): Leftovers {
  const { partitions } = connection;
  const partitionOf = (text: string): number => partitions.of(toStored(text));

  async function supersede(claims: readonly Superseded[]): Promise<void> {
    const shares = divide(claims, ({ claim }) => partitionOf(claim.runId));
    await connection.runShares(takenOver, shares, ({ items }) =>
      items.flatMap(({ name, claim }) => [toStored(claim.runId), name, claim.mark]),
    );
  }

  /** Removes what nothing stands in the way of. Answers the rest, and the claims that have to be given up first. */
  async function remove(removals: readonly Removal[]): Promise<{ removal: Removal; claim: Claim }[]> {
    const shares = divide(removals, ({ name }) => partitions.of(name));
    const answers = await connection.runShares(removal, shares, ({ items }) =>
      items.flatMap(({ args }) => args),
    );
    return removals.flatMap((one, index) => {
      const under = answers[index];
      return Buffer.isBuffer(under) ? [{ removal: one, claim: firstClaim(under).claim }] : [];
    });
  }

  async function release(leftovers: readonly Leftover[]): Promise<void> {
    if (leftovers.length === 0) return;
    const waiting = await remove(leftovers.map(removalOf));
    await supersede(waiting.map(({ removal: { name }, claim }) => ({ name, claim })));
    await remove(waiting.map(({ removal: { name, args } }) => ({ name, args: ["H", args[1], args[2]] })));
    const shares = divide(leftovers, ({ runId }) => partitionOf(runId));
    await connection.runShares(forget, shares, ({ items }) =>
      items.flatMap(({ runId, packed }) => [toStored(runId), packed]),
    );
  }

  return {
    supersede,
    release,

    async releaseOf(runIds) {
      if (runIds.length === 0) return;
      const shares = divide(runIds, partitionOf);
      const answers = await connection.runShares(left, shares, ({ items }) => items.map(toStored));
      await release(
        runIds.flatMap((runId, index) =>
          (answers[index] as readonly Buffer[]).map((packed) => ({ runId, packed })),
        ),
      );
    },
  };
}

function removalOf({ runId, packed }: Leftover): Removal {
  const kind = packed.toString("latin1", 0, 1);
  if (kind === "a") {
    const end = 3 + packed.readUInt16BE(1);
    return { name: packed.subarray(end), args: [kind, packed.subarray(3, end), toBytes(runId)] };
  }
  const name = packed.subarray(1 + MARK_LENGTH);
  const mark = packed.toString("latin1", 1, 1 + MARK_LENGTH);
  return { name, args: [kind, name, claimToBytes({ mark, runId })] };
}
