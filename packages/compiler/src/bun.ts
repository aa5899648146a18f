/** The compiler as a plugin of Bun's bundler and of its runtime. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** A Bun plugin, as far as this package's types go: they must hold where Bun is not installed. */
export interface BunPlugin {
  readonly name: string;
  setup(build: object): void | Promise<void>;
}

/**
 * Compiles directives in `Bun.build`. Works in Bun only.
 *
 * @example
 * import perdure from "@perdure/compiler/bun";
 *
 * await Bun.build({ entrypoints: ["src/app.ts"], outdir: "dist", target: "bun", plugins: [perdure()] });
 */
const perdure: (options?: PluginOptions) => BunPlugin = createUnplugin(factory).bun;

export default perdure;
