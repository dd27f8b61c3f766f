/** Which Pods a TrafficControl selects. Pure: values in, dirty nodes out. */
export { canonicalAddress } from "./address";
export {
  namespaceFacts,
  podFacts,
  selectorFacts,
  type NamespaceFacts,
  type PodFacts,
  type RawNamespace,
  type RawPod,
  type SelectorFacts,
} from "./facts";
export { compileMatcher, isSelectable, match, type Match, type Matcher } from "./match";
export { SelectionIndex, type Dirty, type SelectedPod, type Selection } from "./selection-index";
export { compileSelector, type LabelPredicate, type Labels } from "./selector";
