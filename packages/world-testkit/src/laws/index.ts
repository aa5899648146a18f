import type { Law } from "../law.ts";
import { afterEnd } from "./after-end.ts";
import { claimExclusive } from "./claim-exclusive.ts";
import { commitAtomic } from "./commit-atomic.ts";
import { commitFenced } from "./commit-fenced.ts";
import { commitOnce } from "./commit-once.ts";
import { crashPoints } from "./crash-points.ts";
import { deliver } from "./deliver.ts";
import { endMail } from "./end-mail.ts";
import { firstMessages } from "./first-mail.ts";
import { generations } from "./generations.ts";
import { interleavings } from "./interleavings.ts";
import { joining } from "./joining.ts";
import { journal } from "./journal.ts";
import { leaseKeeper } from "./lease-keeper.ts";
import { leaseTakeover } from "./lease-takeover.ts";
import { listing } from "./listing.ts";
import { nameListing } from "./name-listing.ts";
import { nameRaces } from "./name-races.ts";
import { nameStarts } from "./name-starts.ts";
import { nameTimes } from "./name-times.ts";
import { names } from "./names.ts";
import { opaqueTypes } from "./opaque-types.ts";
import { open } from "./open.ts";
import { parkOverMail } from "./park-over-mail.ts";
import { queues } from "./queues.ts";
import { reads } from "./reads.ts";
import { recordExpiry } from "./record-expiry.ts";
import { recordListing } from "./record-listing.ts";
import { records } from "./records.ts";
import { restart } from "./restart.ts";
import { retention } from "./retention.ts";
import { startOnce } from "./start-once.ts";
import { streamEnds } from "./stream-ends.ts";
import { streams } from "./streams.ts";
import { subscribe } from "./subscribe.ts";
import { values } from "./values.ts";

/** Every law of the contract, one file each. */
export const laws: readonly Law[] = [
  open,
  startOnce,
  firstMessages,
  claimExclusive,
  queues,
  leaseTakeover,
  leaseKeeper,
  commitFenced,
  commitOnce,
  commitAtomic,
  parkOverMail,
  afterEnd,
  deliver,
  endMail,
  joining,
  names,
  nameStarts,
  nameTimes,
  nameRaces,
  nameListing,
  journal,
  restart,
  generations,
  reads,
  listing,
  values,
  opaqueTypes,
  retention,
  records,
  recordExpiry,
  recordListing,
  streams,
  streamEnds,
  subscribe,
  crashPoints,
  interleavings,
];
