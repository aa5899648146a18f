/** What one kind of request keeps of an execution. */
export interface KindState {
  /** The code waits for something of it that is not in `pending` of the execution. */
  readonly awaited?: () => boolean;
  /** Rejects what the code waits for of it. */
  readonly fail?: (error: unknown) => void;
}
