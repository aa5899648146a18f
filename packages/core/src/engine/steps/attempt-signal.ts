/** The abort signal of one attempt, made when the body asks for it. */
export class AttemptSignal {
  #controller: AbortController | null = null;
  #aborted: { readonly reason: unknown } | null = null;

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted !== null) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    if (this.#aborted !== null) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
  }

  /** The body may know that it was aborted, so how it ends may be its answer to that. */
  get heard(): boolean {
    return this.#aborted !== null && this.#controller !== null;
  }
}
