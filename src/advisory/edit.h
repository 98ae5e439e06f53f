#pragma once

#include "advisory/document.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

// Edits of a document's text. Each gives the whole new text: every byte that was there stays, comments too.

/// `event` behind the last one of the advisory. kNotFound when no advisory has that id or alias; kConflict when an
/// event there is later; kInvalid when the list of events is in flow style ("[…]"), which is to be changed by hand.
Result<std::string> append_event(const Document& document, std::string_view vulnerability, const Event& event);

/// `advisory` in its place by id. kConflict when the id or an alias is there already.
Result<std::string> add_advisory(const Document& document, const Advisory& advisory);

/// A new document with one advisory, as the field lays them out.
std::string new_document(std::string_view package, const Advisory& advisory);

/// The event as it stands in a document, `indent` blanks before its dash.
std::string event_text(const Event& event, std::size_t indent);

}  // namespace nacre::advisory
