/**
 * The World contract, for authors of storage adapters, and of packages that keep records of their own in a World. The laws are in
 * the doc comments of {@link World}; the suite that checks them is `@perdure/world-testkit`.
 */

export { type Clock, systemClock } from "../clock.ts";
export { lengthMs } from "../define/retry-policy.ts";
export { checkOptionNames } from "../option-names.ts";
export { withoutPasswords } from "../passwords.ts";
export { attributeKeys, attributesFromText, attributesToText } from "./attributes.ts";
export { EVENT_OVERHEAD, type Hint, type LeaseKeeper, type WorldCapabilities } from "./capabilities.ts";
export {
  type CommitResult,
  endsRun,
  type LeaseChange,
  type NameConflict,
  type RunCommit,
  type RunPatch,
} from "./commit.ts";
export { countdown, Overdue, within } from "./deadline.ts";
export type { Claiming, CommitEvent, JournalEvent, NewEvent } from "./event.ts";
export { parseHint } from "./hint.ts";
export { HintListeners } from "./hint-listeners.ts";
export type { Joined, JoinedRequest, JoinedRun, MakeStart, PlainStart, SqlTransaction } from "./joining.ts";
export {
  cursorAt,
  fits,
  type ListingPlace,
  placeAt,
  placeOf,
  readRows,
  withoutPayloads,
} from "./listing.ts";
export { type LocalHintSource, LocalHints } from "./local-hints.ts";
export type { Address, DeliverResult, FirstMail, Mail, Message } from "./mailbox.ts";
export type { FirstClaim, HeldName, ListNamesQuery, NameClaim, NamePage } from "./name.ts";
export type { DamagedRun, ListRunsQuery, RunFilter, RunPage } from "./read.ts";
export {
  afterPrefix,
  type ListRecordsQuery,
  type RecordPage,
  type RecordWrite,
  type RecordWriteResult,
  type StoredRecord,
} from "./record.ts";
export { packRequest, unpackRequest } from "./request-bytes.ts";
export { type DeleteOldRunsOptions, deleteOldRuns } from "./retention.ts";
export {
  ATTRIBUTE_LIMITS,
  type Attributes,
  isTerminal,
  type RunRecord,
  type RunStatus,
  type TerminalStatus,
} from "./run.ts";
export type {
  CachedRun,
  ClaimedRun,
  ClaimRequest,
  ClaimResult,
  Lease,
  RenewRequest,
  RenewResult,
} from "./schedule.ts";
export type { CreateRun, CreateRunResult } from "./start.ts";
export {
  type Delivery,
  type OpenStore,
  type StartOutcome,
  StoredWorld,
  type StoredWorldOptions,
} from "./stored-world.ts";
export type {
  AppendChunks,
  AppendResult,
  Chunk,
  ListStreamsQuery,
  ReadChunks,
  StreamAddress,
  StreamPage,
  StreamPart,
  Streams,
} from "./stream.ts";
export { CONTRACT_VERSION, type OperationProbe, type World } from "./world.ts";
export { deliveryHints } from "./write-hints.ts";
