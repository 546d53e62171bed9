// SPDX-License-Identifier: GPL-2.0-or-later
// Each message between our processes, empty and full.
#include "seeds.hpp"
#include "wire_types.hpp"

namespace ckpt::fuzz {

namespace {

// Gives each field of a message something to say.
class Filler {
public:
    template <typename... T>
    void operator()(T&... field) {
        (one(field), ...);
    }

private:
    template <typename T>
    void one(T& field) {
        if constexpr (std::is_same_v<T, std::string>)
            field = "text-" + std::to_string(++m_number);
        else if constexpr (std::is_same_v<T, bool>)
            field = true;
        else if constexpr (std::is_enum_v<T>)
            field = static_cast<T>(1);
        else if constexpr (std::is_integral_v<T>)
            field = static_cast<T>(++m_number * 1000);
        else if constexpr (wire::detail::IsVector<T>::value) {
            field.resize(2);
            for (auto& item : field)
                one(item);
        } else if constexpr (wire::detail::IsOptional<T>::value)
            one(field.emplace());
        else if constexpr (wire::detail::IsVariant<T>::value)
            one(field.template emplace<std::variant_size_v<T> - 1>());
        else
            wire::detail::visit_fields(*this, field);
    }
    unsigned m_number = 0;
};

template <typename M>
void message(const Seeds& seeds, unsigned& number) {
    M message;
    seeds.add("empty-" + std::to_string(++number), wire::encode(message));
    Filler filler;
    message.fields(filler);
    seeds.add("full-" + std::to_string(number), wire::encode(message));
}

template <typename... M>
void messages(const Seeds& seeds, Messages<M...> /*types*/) {
    unsigned number = 0;
    (message<M>(seeds, number), ...);
}

} // namespace

void wire_seeds(const Seeds& seeds) {
    messages(seeds, AllMessages{});
}

} // namespace ckpt::fuzz
