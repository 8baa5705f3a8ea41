/* words.c - see words.h. Each list has 64 short, inoffensive words. */
#include "sandbox/words.h"

#include "base/compiler.h"

#include <assert.h>
#include <stdio.h>

/* clang-format off */
static const char adjectives[][8] = {
    "amber", "ample", "ashen", "bold", "brave", "brisk", "calm", "candid", "clear", "clever", "coral",
    "cosy", "crisp", "deft", "dusty", "eager", "early", "even", "fair", "fleet", "fond", "fresh",
    "gentle", "glad", "golden", "grand", "green", "hardy", "honest", "humble", "indigo", "jolly",
    "keen", "kind", "late", "light", "lively", "lucid", "mellow", "merry", "mild", "misty", "modest",
    "neat", "noble", "novel", "olive", "patient", "placid", "plain", "proud", "quick", "quiet",
    "rapid", "ready", "silver", "sober", "steady", "still", "sunny", "tidy", "vivid", "warm", "wise",
};

static const char nouns[][8] = {
    "alder", "atlas", "badger", "birch", "bison", "brook", "canyon", "cedar", "cliff", "comet",
    "crane", "delta", "dune", "eagle", "egret", "ember", "falcon", "fern", "finch", "fjord", "folio",
    "fox", "glade", "grove", "harbor", "hazel", "heron", "hill", "ibis", "island", "juniper", "lagoon",
    "lark", "ledger", "lemur", "linden", "lynx", "maple", "marten", "meadow", "moth", "oriole",
    "otter", "owl", "page", "pebble", "pine", "plover", "quill", "raven", "reed", "ridge", "river",
    "robin", "sparrow", "spruce", "stone", "thrush", "tide", "tome", "valley", "walnut", "willow",
    "wren",
};
/* clang-format on */

static_assert(array_len(adjectives) == 64 && array_len(nouns) == 64, "six bits choose a word");

void words_name(uint32_t random, char out[24])
{
    snprintf(out, 24, "%s-%s", adjectives[random & 63], nouns[random >> 6 & 63]);
}
