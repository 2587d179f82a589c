# Puppet's code, compiled once in a lab: a good part of a puppet command's time is Ruby compiling the same thousand files.
# Ruby asks load_iseq about each file that it is about to load; what was compiled by the same Ruby, from a file of the same
# size and time, is handed over, all else is compiled as ever. The wrapper around puppet has this file loaded first.
# LAB_COMPILE names a file into which this run puts what it has compiled; runbooks/lab/build.py then gives it to all hosts.
ENV.delete('RUBYOPT')

module Compiled
  READ = '/usr/local/lib/lab/puppet.compiled'.freeze
  WRITE = ENV.delete('LAB_COMPILE').freeze

  class << self
    def read
      ruby, known = Marshal.load(File.binread(READ))
      @known = ruby == RUBY_DESCRIPTION ? known : {}
    rescue SystemCallError, ArgumentError, TypeError
      @known = {} # nothing there, or nothing whole
    end

    def code(path)
      file = File.stat(path)
      mark = [file.size, file.mtime.to_r]
      was, binary = @known[path]
      return RubyVM::InstructionSequence.load_from_binary(binary) if was == mark
      return unless WRITE

      RubyVM::InstructionSequence.compile_file(path).tap { |fresh| @known[path] = [mark, fresh.to_binary] }
    end

    def write
      File.binwrite("#{WRITE}.new", Marshal.dump([RUBY_DESCRIPTION, @known]))
      File.rename("#{WRITE}.new", WRITE)
    rescue SystemCallError => e
      warn "#{WRITE}: #{e.message}"
    end
  end

  read
  at_exit { write } if WRITE
end

def (RubyVM::InstructionSequence).load_iseq(path)
  Compiled.code(path)
end
