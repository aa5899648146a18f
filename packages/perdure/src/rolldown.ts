/** `perdure/rolldown`: the compiler as a plugin. */
export { default, type PluginOptions, type RolldownPlugin } from "@perdure/compiler/rolldown";
