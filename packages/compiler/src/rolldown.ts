/** The compiler as a Rolldown plugin; tsdown takes it too. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** A Rolldown plugin, as far as this package's types go: they must hold where Rolldown is not installed. */
export interface RolldownPlugin {
  readonly name: string;
}

/**
 * Compiles directives in a Rolldown or tsdown build.
 *
 * @example
 * import perdure from "@perdure/compiler/rolldown";
 *
 * export default { input: "src/app.ts", platform: "node", plugins: [perdure()] };
 */
const perdure: (options?: PluginOptions) => RolldownPlugin = createUnplugin(factory).rolldown;

export default perdure;
