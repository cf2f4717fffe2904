// Boost.Asio compiled once (BOOST_ASIO_SEPARATE_COMPILATION), for everything that links
// firebreak::asio.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
