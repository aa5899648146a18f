/** `@perdure/dashboard`: runs, hooks, locks and workers in a browser. */
export type * from "./protocol.ts";
