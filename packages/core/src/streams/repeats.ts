import type { Chunk } from "../world/index.ts";
import { attemptOf } from "./names.ts";

/**
 * What a live reader has of a step whose attempt failed then is there already: what the next attempt writes is not given again as long as it is
 * the same, chunk by chunk.
 */
export class Repeats {
  readonly #read: ReadBack;
  readonly #steps: Map<string, GivenOfStep> = new Map();

  constructor(read: ReadBack) {
    this.#read = read;
  }

  /** Whether the reader has had this chunk from an earlier attempt. Called once for each chunk, in order. */
  async isRepeat({ index, writer, data }: Chunk): Promise<boolean> {
    const by = attemptOf(writer);
    if (by === null) return false;
    const step = this.#steps.get(by.step);
    if (step === undefined) {
      this.#steps.set(by.step, { given: { writer, first: index, count: 1 }, again: null });
      return false;
    }
    if (step.again === null && writer === step.given.writer) {
      step.given.count++;
      return false;
    }
    if (step.again === null || step.again.part.writer !== writer) {
      step.again = { part: { writer, first: index, count: 0 }, before: this.#read(step.given) };
    }
    const { part, before } = step.again;
    part.count++;
    const next = await before.next();
    if (next.done !== true && Buffer.compare(next.value.data, data) === 0) return true;
    step.given = part;
    step.again = null;
    return false;
  }
}

/** The first chunks of a writer. */
export interface WriterPart {
  readonly writer: string;
  /** The index of the first one. */
  readonly first: number;
  count: number;
}

/** Reads chunks once more. */
export type ReadBack = (part: Readonly<WriterPart>) => AsyncGenerator<Chunk, void, void>;

interface GivenOfStep {
  /** The attempt with all that the reader has. */
  given: WriterPart;
  /** A later attempt that has written the same so far, and what comes next in the earlier one. */
  again: { readonly part: WriterPart; readonly before: AsyncGenerator<Chunk, void, void> } | null;
}
