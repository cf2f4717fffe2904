// What somebody who examined files on a disk has to say about them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace firebreak {

// In this order: the worst finding is the verdict.
enum class Health {
  sound,
  damaged,  // but everything that a start needs can be had
  lost,     // something that was kept cannot be had any more
};

[[nodiscard]] inline const char* to_string(Health health) {
  switch (health) {
    case Health::sound:
      return "sound";
    case Health::damaged:
      return "damaged";
    case Health::lost:
      return "lost";
  }
  return "?";
}

struct Finding {
  Health health = Health::sound;
  std::string file;
  std::string what;  // was checked, or is wrong with it
};

struct Examination {
  std::vector<Finding> findings;
  [[nodiscard]] Health verdict() const {
    Health worst = Health::sound;
    for (const Finding& finding : findings) worst = std::max(worst, finding.health);
    return worst;
  }
};

}  // namespace firebreak
