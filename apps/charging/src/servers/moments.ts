// The seam between a server and whoever watches it: a server reports the moments of each request and, where the
// watcher asks for it, waits before it goes on. That is how the demo kills a worker exactly between a charge and its
// answer, and how its progress display knows what landed. Nobody watching is the default.

/** The servers that charge and send for the workers, and those that the clients call. */
export type ServerName = "payment" | "receipts" | "api";

/** The process that a kill at a moment costs its life: the client of an outside server, or the API server itself. */
export type Victim = "worker" | "api";

/**
 * `arrived`: the request is read, nothing has happened yet. `executed`: its effect is durable, its answer unsent.
 * `ended`: the answer went out or the connection was reset; at an API server, it is recorded and goes out next.
 */
export type Phase = "arrived" | "executed" | "ended";

export interface Moment {
  server: ServerName;
  effect: "charge" | "refund" | "receipt";
  /** Numbers the server's requests, from 1. */
  request: number;
  phase: Phase;
  /** The address the request came in by. Each worker is given its own, so a server can tell who is asking; an API server has one. */
  door: number;
  customer: string;
  /** How many requests the server has had for this customer, this one included. */
  n: number;
  /** When it is executed: an earlier answer is given instead of doing the work again. */
  replayed?: boolean;
}

/** Who dies of a kill at this moment. */
export function victimOf({ server }: Pick<Moment, "server">): Victim {
  return server === "api" ? "api" : "worker";
}

/** Called at every moment; the server goes on when the promise resolves. */
export type Watch = (moment: Moment) => Promise<void>;

export const nobodyWatches: Watch = () => Promise.resolve();
