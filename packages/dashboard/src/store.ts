import { type Client, clientOf } from "@perdure/core/inspect";
import type { World } from "@perdure/core/world";
import { BacklogSamples } from "./api/backlog-samples.ts";
import { Journals } from "./api/journals.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { LiveLooks } from "./live/live-looks.ts";

/** What all viewers of one World share in this process, so that the store is asked once for all of them. */
export class Store {
  readonly world: World;
  readonly client: Client;
  readonly readOnly: boolean;
  readonly kept: KeptAnswers = new KeptAnswers();
  readonly looks: LiveLooks;
  readonly journals: Journals;
  readonly backlog: BacklogSamples = new BacklogSamples();

  constructor(world: World, readOnly: boolean) {
    this.world = world;
    this.client = clientOf(world);
    this.readOnly = readOnly;
    this.looks = new LiveLooks(this.client);
    this.journals = new Journals(this.client);
  }

  /** Asks the open World. */
  async ask<T>(question: (world: World) => Promise<T>): Promise<T> {
    return await this.client.ask("The dashboard", question);
  }
}
