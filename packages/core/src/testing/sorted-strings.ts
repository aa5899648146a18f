/** A set of strings in order, for the memory World's pages: the next page starts after a string, not at an index. */
export class SortedStrings {
  readonly #items: string[] = [];

  add(item: string): void {
    const at = this.#after(item);
    if (this.#items[at - 1] !== item) this.#items.splice(at, 0, item);
  }

  delete(item: string): void {
    const at = this.#after(item) - 1;
    if (this.#items[at] === item) this.#items.splice(at, 1);
  }

  /** The strings after `cursor`, or all of them, upwards. */
  *ascending(cursor?: string): Generator<string> {
    for (let at = cursor === undefined ? 0 : this.#after(cursor); at < this.#items.length; at++) {
      yield this.#items[at] as string;
    }
  }

  /** The strings before `cursor`, or all of them, downwards. */
  *descending(cursor?: string): Generator<string> {
    let at = this.#items.length;
    if (cursor !== undefined) {
      at = this.#after(cursor);
      if (this.#items[at - 1] === cursor) at--;
    }
    while (at-- > 0) yield this.#items[at] as string;
  }

  /** The strings with a prefix, upwards; after `cursor` if there is one. */
  *startingWith(prefix: string, cursor?: string): Generator<string> {
    if (cursor === undefined && this.#items[this.#after(prefix) - 1] === prefix) yield prefix;
    for (const item of this.ascending(cursor ?? prefix)) {
      if (!item.startsWith(prefix)) return;
      yield item;
    }
  }

  /** How many strings are not greater than `item`. */
  #after(item: string): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle] as string) <= item) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
