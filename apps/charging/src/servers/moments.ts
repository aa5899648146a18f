// The seam between a server and whoever watches it: a server reports the moments of each request and, where the
// watcher asks for it, waits before it goes on. That is how the demo kills a worker exactly between a charge and its
// answer, and how its progress display knows what landed. Nobody watching is the default.

export type ServerName = "payment" | "receipts";

/**
 * `arrived`: the request is read, nothing has happened yet. `executed`: its effect is durable, its answer unsent.
 * `ended`: the answer went out or the connection was reset.
 */
export type Phase = "arrived" | "executed" | "ended";

export interface Moment {
  server: ServerName;
  /** Numbers the server's requests, from 1. */
  request: number;
  phase: Phase;
  /** The address the request came in by. Each worker is given its own, so a server can tell who is asking. */
  door: number;
  customer: string;
  /** How many requests the server has had for this customer, this one included. */
  n: number;
}

/** Called at every moment; the server goes on when the promise resolves. */
export type Watch = (moment: Moment) => Promise<void>;

export const nobodyWatches: Watch = () => Promise.resolve();
