/**
 * For programs that show and change the runs of any World, such as the command line and the dashboard: the client of a World, the
 * lists behind the functions of `perdure/api`, and what journals and errors say as people read it.
 */

export { Client } from "./api/client.ts";
export { readEventValue, readStoredError } from "./api/journal.ts";
export { locksOf } from "./api/locks-listing.ts";
export { hooksOf, startKeysOf } from "./api/names-listing.ts";
export {
  type ActedRun,
  actOnRuns,
  cancelling,
  deleting,
  type RunAct,
  retrying,
  waking,
} from "./api/run-acts.ts";
export { clientOf } from "./api/runtime.ts";
export { type EarlierAttempt, type TimelineEntry, timelineOf } from "./api/timeline.ts";
export { isEngineFrame, userStack } from "./api/user-frames.ts";
export { registry } from "./define/registry.ts";
export { isKeptEncrypted } from "./encryption/sealed-bytes.ts";
export { workersOf } from "./engine/upkeep/sign-of-life.ts";
export { isWebhookId } from "./interpreter/webhook.ts";
export { hookName, startName, successorName } from "./names.ts";
export { PARENT, parentOf } from "./parent.ts";
export { decode, decodeError } from "./serialization/index.ts";
