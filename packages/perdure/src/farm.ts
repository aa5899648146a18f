/** `perdure/farm`: the compiler as a plugin. */
export { default, type FarmPlugin, type PluginOptions } from "@perdure/compiler/farm";
