/** Where moments are on the axis of a waterfall, from 0 to 1. Time in which nothing is executed can be drawn shorter than it was. */

/** A stretch of time, ms since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** An axis. */
export interface Scale {
  readonly at: (time: number) => number;
  /** Moments to name on the axis, and where idle time is drawn shorter. */
  readonly marks: readonly { readonly place: number; readonly time: number; readonly shortened: boolean }[];
}

/** Idle time is drawn shorter where it is this part of the whole or more. */
const LONG = 0.15;
/** And so long, of the time in which something is executed. */
const SHORT = 0.12;

/** Whether there is idle time that hides the rest. */
export function hidesWork(whole: Span, busy: readonly Span[]): boolean {
  const pauses = longPauses(whole, busy).reduce((sum, { from, to }) => sum + to - from, 0);
  return pauses > (whole.to - whole.from) / 2;
}

/** An axis on which all time is alike. `marks`: about how many moments are named. */
export function evenScale(whole: Span, marks: number): Scale {
  return piecewise([{ ...whole, weight: Math.max(1, whole.to - whole.from) }], whole, marks);
}

/** An axis on which long pauses between the `busy` stretches are short. */
export function shortenedScale(whole: Span, busy: readonly Span[], marks: number): Scale {
  const pauses = longPauses(whole, busy);
  const work = whole.to - whole.from - pauses.reduce((sum, { from, to }) => sum + to - from, 0);
  const short = Math.max(work, 1) * SHORT;
  const pieces: Piece[] = [];
  let at = whole.from;
  for (const { from, to } of pauses) {
    if (from > at) pieces.push({ from: at, to: from, weight: from - at });
    pieces.push({ from, to, weight: short, shortened: true });
    at = to;
  }
  if (at < whole.to) pieces.push({ from: at, to: whole.to, weight: whole.to - at });
  return piecewise(pieces, whole, marks);
}

function longPauses(whole: Span, busy: readonly Span[]): Span[] {
  const least = (whole.to - whole.from) * LONG;
  const pauses: Span[] = [];
  let at = whole.from;
  for (const { from, to } of [...busy].sort((one, other) => one.from - other.from)) {
    if (from - at >= least && least > 0) pauses.push({ from: at, to: from });
    at = Math.max(at, to);
  }
  if (whole.to - at >= least && least > 0) pauses.push({ from: at, to: whole.to });
  return pauses;
}

interface Piece extends Span {
  readonly weight: number;
  readonly shortened?: boolean;
}

function piecewise(pieces: readonly Piece[], whole: Span, count: number): Scale {
  const sum = pieces.reduce((all, { weight }) => all + weight, 0) || 1;
  const starts: number[] = [];
  let weightSoFar = 0;
  for (const { weight } of pieces) {
    starts.push(weightSoFar / sum);
    weightSoFar += weight;
  }
  const at = (time: number): number => {
    const index = Math.max(
      0,
      pieces.findLastIndex(({ from }) => from <= time),
    );
    const piece = pieces[index];
    if (piece === undefined || time <= whole.from) return 0;
    const share = Math.min(1, (time - piece.from) / Math.max(1, piece.to - piece.from));
    return Math.min(1, (starts[index] ?? 0) + (share * piece.weight) / sum);
  };
  const marks = pieces.flatMap((piece, index) => {
    const start = starts[index] ?? 0;
    const share = piece.weight / sum;
    if (piece.shortened === true)
      return [{ place: start + share / 2, time: piece.to - piece.from, shortened: true }];
    const steps = Math.max(1, Math.round(share * count));
    return Array.from({ length: steps }, (_, step) => ({
      place: start + (share * step) / steps,
      time: piece.from + ((piece.to - piece.from) * step) / steps - whole.from,
      shortened: false,
    }));
  });
  return { at, marks };
}
